"""What operators have set for engines: which are switched off, and what a minute of music costs."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import (
    bindparam,
    select,
)
from sqlalchemy.dialects.sqlite import insert

from models.access import Caller, require_membership
from models.db import connection
from models.generation_tables import engine_settings
from models.upsert import insert_or_update


class EngineSettings(NamedTuple):
    """The settings of one engine; `cents_per_minute` is in hundredths of a Swiss franc."""

    enabled: bool = True
    cents_per_minute: int = 0


_rows = engine_settings.c

LIST = select(_rows.engine_key, _rows.enabled, _rows.cents_per_minute)

FIND = select(_rows.enabled, _rows.cents_per_minute).where(_rows.engine_key == bindparam("key"))

_new = insert(engine_settings).values(
    engine_key=bindparam("key"), enabled=bindparam("enabled"), cents_per_minute=bindparam("cents_per_minute")
)
STORE = insert_or_update(
    _new,
    index_elements=[_rows.engine_key],
    set_={"enabled": _new.excluded.enabled, "cents_per_minute": _new.excluded.cents_per_minute},
)


def list_all(caller: Caller, organization_id: str) -> Mapping[str, EngineSettings]:
    """The settings of the engines that an operator has changed, by key. Raises AccessDenied."""
    require_membership(caller, organization_id)
    return changed()


def changed() -> Mapping[str, EngineSettings]:
    """The settings of the engines that an operator has changed, by key; for commands."""
    return {row.engine_key: EngineSettings(row.enabled, row.cents_per_minute) for row in connection.fetch_all(LIST)}


def get(key: str) -> EngineSettings:
    """The settings of an engine."""
    row = connection.fetch_one(FIND, key=key)
    return EngineSettings() if row is None else EngineSettings._make(row)


@connection.transaction
def change(key: str, *, enabled: bool | None = None, cents_per_minute: int | None = None) -> EngineSettings:
    """Changes what is given; returns the settings."""
    old = get(key)
    new = EngineSettings(
        old.enabled if enabled is None else enabled,
        old.cents_per_minute if cents_per_minute is None else cents_per_minute,
    )
    connection.execute(STORE, key=key, **new._asdict())
    return new
