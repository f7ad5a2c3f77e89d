"""Places the tables on the nodes of a Citus cluster: as reference tables, or distributed by organization.

Decision 93.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, MetaData, Table, event, text
from sqlalchemy.schema import AddConstraint

DISTRIBUTION_COLUMN = "organization_id"
# In parallel mode Citus refuses a foreign key to a reference table in the transaction that has distributed its table.
SEQUENTIAL = "SET LOCAL citus.multi_shard_modify_mode TO 'sequential'"

_HAS_CITUS = text("SELECT to_regclass('citus_tables') IS NOT NULL")
_PLACED = text("SELECT table_name::text AS name, citus_table_type FROM citus_tables WHERE citus_table_type <> 'local'")
_FOREIGN_KEYS = text(
    "SELECT conrelid::regclass::text AS table_name, quote_ident(conname) AS name, pg_get_constraintdef(oid) AS body"
    " FROM pg_constraint WHERE contype = 'f' AND conparentid = 0"
    " AND (conrelid::regclass::text = ANY(:tables) OR confrelid::regclass::text = ANY(:tables)) ORDER BY 1, 2"
)


class NoCitus(Exception):
    """The database does not have the extension Citus."""


class WrongTableType(Exception):
    """A table is placed already, in another way than it is declared."""


def declared(tables: MetaData) -> dict[str, str]:
    """The tables that Citus must know, each with its declared type: `reference` or `distributed`."""
    types = {table.name: str(table.info["citus_table_type"]) for table in tables.sorted_tables}
    return {name: kind for name, kind in types.items() if kind != "local"}


def statements(connection: Connection, types: Mapping[str, str]) -> list[str]:
    """The SQL that places those of the tables that are not placed yet; empty if all are. Raises WrongTableType.

    Citus allows no foreign key from a local or reference table to a distributed one, and none from a distributed table
    to a local one. So no order of the tables works while they refer to each other: the foreign keys of the tables go
    first, and come back when all are placed.
    """
    placed = _placed(connection)
    if wrong := [name for name, kind in types.items() if placed.get(name, kind) != kind]:
        raise WrongTableType(wrong[0])
    missing = {name: kind for name, kind in types.items() if name not in placed}
    if not missing:
        return []
    keys = connection.execute(_FOREIGN_KEYS, {"tables": list(missing)}).all()
    return [
        SEQUENTIAL,
        *(f"ALTER TABLE {key.table_name} DROP CONSTRAINT {key.name}" for key in keys),
        *_placements(missing, first=next((name for name, kind in placed.items() if kind == "distributed"), None)),
        *(f"ALTER TABLE {key.table_name} ADD CONSTRAINT {key.name} {key.body}" for key in keys),
    ]


def require_citus(connection: Connection) -> None:
    """Raises NoCitus."""
    if not connection.execute(_HAS_CITUS).scalar():
        raise NoCitus


def _placed(connection: Connection) -> dict[str, str]:
    return {row.name: row.citus_table_type for row in connection.execute(_PLACED)}


def _placements(types: Mapping[str, str], first: str | None) -> Iterator[str]:
    """Reference tables, then distributed ones, each beside the `first`, whatever the number of shards is by now."""
    yield from (f"SELECT create_reference_table('{name}')" for name, kind in types.items() if kind == "reference")
    for name in (name for name, kind in types.items() if kind == "distributed"):
        beside = f", colocate_with => '{first}'" if first else ""
        yield f"SELECT create_distributed_table('{name}', '{DISTRIBUTION_COLUMN}'{beside})"
        yield f"SELECT truncate_local_data_after_distributing_table('{name}')"  # its rows are in the shards
        first = first or name


@contextmanager
def placing_new_tables(connection: Connection, types: Mapping[str, str]) -> Iterator[None]:
    """In a cluster with distributed tables, a table is placed when it is created, and then gets its foreign keys.

    Citus refuses a new table that refers to a distributed one, because it is local until it is placed.
    """
    if not (
        connection.dialect.name == "postgresql" and connection.execute(_HAS_CITUS).scalar() and _placed(connection)
    ):
        yield
        return

    def place(table: Table, connection: Connection, **_: Any) -> None:
        for statement in statements(connection, {table.name: types[table.name]} if table.name in types else {}):
            connection.exec_driver_sql(statement)
        for key in table.foreign_key_constraints:
            connection.execute(AddConstraint(key))

    listeners = (("before_create", _leave_foreign_keys_out), ("after_create", place))
    for name, listener in listeners:
        event.listen(Table, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners:
            event.remove(Table, name, listener)


def _leave_foreign_keys_out(table: Table, _connection: Connection, **_: Any) -> None:
    for key in table.foreign_key_constraints:
        key.use_alter = True
