"""The engines that an operator adds: programs, described in a TOML file. Needs no library, like the other catalog.

    [engines.musicgen]
    command = ["/opt/musicgen/run", "--model", "small"]
    name = "MusicGen"
    description = "A text-to-music model on our own graphics card."
    max_duration_seconds = 30
    licence_class = "personal_only"

Every other name of Capabilities can be given too, and `timeout_seconds` (600) and `memory_mib` (4096) of one piece.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from studio.engines.catalog import COMPUTED, Capabilities

SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"
TIMEOUT_SECONDS, MEMORY_MIB = 600, 4096
MODES = frozenset(("creation", "focus"))
LICENCES = {  # licence class: (commercial use, attribution)
    "commercial_cleared": (True, False),
    "commercial_enterprise": (True, False),
    "personal_only": (False, False),
    "unclear": (False, True),
}
_KEY = re.compile("[a-z][a-z0-9_-]{0,63}")
_LANGUAGE = re.compile("[a-z]{2}")
TEXT_LENGTHS = {"name": 64, "description": 512}
_TAKEN = COMPUTED.keys() | {"import"}


class BadEngines(ValueError):
    """The file of the engines cannot be used; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that makes music, with its arguments, and the limits of one piece."""

    capabilities: Capabilities
    command: tuple[str, ...]
    timeout_seconds: int = TIMEOUT_SECONDS
    memory_mib: int = MEMORY_MIB


def all_engines(file: str) -> dict[str, Capabilities]:
    """Our own engines, and the programs of a file if there is one, by key. Raises BadEngines."""
    programs = read(Path(file)) if file else {}
    return COMPUTED | {key: program.capabilities for key, program in programs.items()}


def read(path: Path) -> dict[str, Program]:
    """The programs of a file by engine key. Raises BadEngines, also for a program that does not exist."""
    import tomllib  # most servers have no file of engines

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadEngines(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadEngines(f"{path} is no TOML: {error}") from error
    tables = document.pop("engines", {})
    if document or not isinstance(tables, dict):
        raise BadEngines(f"{path} has {sorted(document)}, but each engine is a table [engines.KEY]")
    return {key: _program(f"{path}, engine {key}", key, table) for key, table in tables.items()}


def _program(place: str, key: str, table: Any) -> Program:
    if not _KEY.fullmatch(key) or key in _TAKEN:
        raise BadEngines(f"{place}: choose another key, lower-case, and none of {', '.join(sorted(_TAKEN))}")
    if not isinstance(table, dict):
        raise BadEngines(f"{place}: this must be a table [engines.{key}]")
    given = dict(table)
    command = _command(place, given.pop("command", None))
    timeout = _number(place, given, "timeout_seconds", TIMEOUT_SECONDS, 3600)
    memory = _number(place, given, "memory_mib", MEMORY_MIB, 1_000_000)
    return Program(_capabilities(place, key, given), command, timeout, memory)


def _command(place: str, command: Any) -> tuple[str, ...]:
    if not isinstance(command, list) or not command or not all(isinstance(word, str) and word for word in command):
        raise BadEngines(f'{place}: command must be a list of texts, such as ["/opt/engine/run", "--fast"]')
    program = shutil.which(command[0], path=SEARCH_PATH)
    if program is None:
        raise BadEngines(f"{place}: there is no program {command[0]!r} that may be run")
    return (program, *command[1:])


def _number(place: str, given: dict[str, Any], name: str, default: int, most: int) -> int:
    value = given.pop(name, default)
    if type(value) is not int or not 1 <= value <= most:
        raise BadEngines(f"{place}: {name} must be a whole number from 1 to {most}")
    return value


def _capabilities(place: str, key: str, given: dict[str, Any]) -> Capabilities:
    """Without a declared licence the class is `unclear`, which allows nothing."""
    licence = given.pop("licence_class", "unclear")
    if licence not in LICENCES:
        raise BadEngines(f"{place}: licence_class must be one of {', '.join(LICENCES)}")
    commercial, attribution = LICENCES[licence]
    values: dict[str, Any] = {
        "name": key,
        "description": f"The program {key}.",
        "modes": ["creation"],
        "max_duration_seconds": 60,
        "supports_stems": False,
        "languages": [],
        "requires_attribution": attribution,
    } | given
    _require_known(place, values)
    for name in ("modes", "languages"):
        values[name] = tuple(values[name])
    return Capabilities(key=key, licence_class=licence, commercial_use=commercial, **values)


def _require_known(place: str, values: Mapping[str, Any]) -> None:
    known = {f.name: f.type for f in fields(Capabilities)}
    for name, value in values.items():
        if name not in known or (name in ("key", "commercial_use", "supports_stems") and value):
            raise BadEngines(f"{place}: {name} cannot be given")
        if not _fits(str(known[name]), value, TEXT_LENGTHS.get(name, 0)):
            raise BadEngines(f"{place}: {name} has a wrong type, is empty or too long")
    if not values["modes"] or not set(values["modes"]) <= MODES:
        raise BadEngines(f"{place}: modes must be some of {', '.join(sorted(MODES))}")
    if not all(map(_LANGUAGE.fullmatch, values["languages"])):
        raise BadEngines(f"{place}: languages must be codes of ISO 639-1, such as en")
    if not 1 <= values["max_duration_seconds"] <= 600:
        raise BadEngines(f"{place}: max_duration_seconds must be from 1 to 600")


def _fits(kind: str, value: Any, length: int) -> bool:
    match kind:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return type(value) is int
        case "str":
            return isinstance(value, str) and 0 < len(value) <= length and value.isprintable()
        case _:
            return isinstance(value, list) and all(isinstance(word, str) for word in value)
