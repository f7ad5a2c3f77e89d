"""What operators set for engines: a price, and whether they can be used."""

from collections.abc import Mapping
from typing import Any

from models import engines, money
from models.engines import EngineSettings
from ops.errors import CommandError
from studio.engines import command_catalog
from studio.engines.catalog import Capabilities

COLUMNS = ("engine", "enabled", "chf_per_minute", "modes", "max_seconds", "licence")


def known(file: str) -> dict[str, Capabilities]:
    """The engines of this installation: our own, and the programs of the file that the setting names.

    Raises CommandError.
    """
    try:
        return command_catalog.all_engines(file)
    except command_catalog.BadEngines as problem:
        raise CommandError(f"{problem}.") from None


def listed(known: Mapping[str, Capabilities]) -> list[dict[str, Any]]:
    """The engines of this installation with their settings, by key."""
    changed = engines.changed()
    return [_row(engine, changed.get(key, EngineSettings())) for key, engine in sorted(known.items())]


def change(
    known: Mapping[str, Capabilities], key: str, *, enabled: bool | None = None, price: str | None = None
) -> dict[str, Any]:
    """Changes what is given; returns the row of the engine. Raises CommandError."""
    if key not in known:
        raise CommandError(f"There is no engine {key!r}: choose {' or '.join(sorted(known))}.")
    try:
        cents = None if price is None else money.from_text(price)
    except ValueError as problem:
        raise CommandError(str(problem)) from None
    return _row(known[key], engines.change(key, enabled=enabled, cents_per_minute=cents))


def _row(engine: Capabilities, setting: EngineSettings) -> dict[str, Any]:
    return {
        "engine": engine.key,
        "enabled": setting.enabled,
        "chf_per_minute": money.as_decimal(setting.cents_per_minute),
        "modes": list(engine.modes),
        "max_seconds": engine.max_duration_seconds,
        "licence": engine.licence_class,
    }
