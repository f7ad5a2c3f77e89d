"""The tables can be spread over many nodes by organization: every key of theirs carries it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Executable,
    ForeignKeyConstraint,
    Insert,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    select,
)
from sqlalchemy.sql import visitors

from models.base import metadata
from models.db import engines, migrate
from models.schema import collections
from tests.deployments.partitioned import BY, PARTS, make_tables, placed
from tests.test_plans import plan
from tests.test_statements import statements
from tools.testing import databases

# Alembic's own: one row, asked by the coordinator alone.
LOCAL = {"alembic_version"}

REFERENCE, SPREAD = placed("reference"), placed("distributed")


def test_the_operator_is_told_where_every_table_goes() -> None:
    assert not REFERENCE.keys() & SPREAD.keys()
    assert REFERENCE.keys() | SPREAD.keys() == metadata.tables.keys(), (
        "docs/operating.md says for Citus where each table goes: add create_distributed_table for a new one, or "
        "create_reference_table with the reason why a copy of it is on every node."
    )
    assert all(rest.startswith(f", '{BY}');") for rest in SPREAD.values())
    assert all(re.fullmatch(r"\);  -- \S.{10,}", rest) for rest in REFERENCE.values()), "a reason for each copy"


def test_a_table_is_spread_after_those_that_it_refers_to() -> None:
    order = [*REFERENCE, *SPREAD]
    for name, table in metadata.tables.items():
        for key in table.foreign_key_constraints:
            assert order.index(key.referred_table.name) < order.index(name), f"{name} goes after {key.referred_table}"


def flaws(tables: MetaData) -> Iterator[str]:
    """What keeps the tables from being spread."""
    for table in tables.tables.values():
        yield from _misplaced_references(table) if table.name in REFERENCE else _keys_without(table)


def _keys_without(table: Table) -> Iterator[str]:
    if table.name in LOCAL:
        return
    if BY not in table.c or table.c[BY].nullable:
        yield f"{table.name} has no {BY} that is never null"
    for rule in table.constraints:
        if isinstance(rule, PrimaryKeyConstraint | UniqueConstraint) and BY not in rule.columns:
            yield f"{table.name}: {rule.name} lacks {BY}"
        if isinstance(rule, ForeignKeyConstraint) and (BY, BY) not in _pairs(rule):
            yield f"{table.name}: {rule.name} does not lead from {BY} to {BY}"
    yield from (f"{table.name}: {one.name} lacks {BY}" for one in table.indexes if one.unique and BY not in one.columns)


def _misplaced_references(table: Table) -> Iterator[str]:
    for key in table.foreign_key_constraints:
        if key.referred_table.name not in REFERENCE:
            yield f"{table.name}: {key.name} leads from a copied table to a spread one"


def _pairs(key: ForeignKeyConstraint) -> set[tuple[str, str]]:
    return {(part.parent.name, part.column.name) for part in key.elements}


def test_every_key_of_a_spread_table_carries_the_organization() -> None:
    assert list(flaws(metadata)) == []


@pytest.mark.parametrize("kind", databases.KINDS)
def test_so_do_the_keys_of_a_migrated_database(kind: str, tmp_path: Path) -> None:
    with databases.fresh(kind, tmp_path) as url:
        migrate.upgrade(url)
        engine, found = engines.create_unpooled(url, wait_seconds=5), MetaData()
        found.reflect(engine)
        engine.dispose()
    assert found.tables.keys() == metadata.tables.keys() | LOCAL
    assert list(flaws(found)) == []


def test_a_key_without_the_organization_is_noticed() -> None:
    other = MetaData()
    for table in metadata.tables.values():
        table.to_metadata(other)
    other.tables["collections"].append_constraint(UniqueConstraint("id", name="by_id"))
    other.tables["api_keys"].append_constraint(ForeignKeyConstraint(["id"], ["collections.id"], name="astray"))
    Table("shares", other, Column("id", Text, primary_key=True), Column("owner_id", Text))
    assert sorted(flaws(other)) == [
        "api_keys: astray leads from a copied table to a spread one",
        "collections: by_id lacks organization_id",
        "shares has no organization_id that is never null",
        "shares: None lacks organization_id",
    ]


@pytest.fixture(scope="module")
def parts() -> Iterator[Connection]:
    """A connection of the service's own kind, to tables in parts."""
    with databases.postgres_database() as url:
        make_tables(url)
        engine = engines.create_pooled(url, pool_size=1, statement_timeout_ms=engines.STATEMENT_MS)
        with engine.connect() as connection:
            yield connection
        engine.dispose()


# The hourly sweep and an operator's list of all events are nobody's request, and go through all organizations.
EVERYWHERE = {"models.idempotency.BATCH_END", "models.idempotency.DELETE_BATCH_ROWS", "models.key_events.LIST_ALL"}


def _of_requests() -> list[str]:
    """The statements on spread tables, each by one of its names; a plain INSERT has no plan that names a part."""
    known = {id(told): name for name, told in reversed(statements().items()) if _looks_at_spread(told)}
    return sorted({*known.values()} - EVERYWHERE)


def _looks_at_spread(statement: Executable) -> bool:
    inner: Any = statement.select if isinstance(statement, Insert) else statement
    found = visitors.iterate(inner) if inner is not None else ()
    return any(isinstance(one, Table) and one.name in SPREAD for one in found)


@pytest.mark.parametrize("name", _of_requests())
def test_every_statement_of_a_request_visits_one_part_of_a_table(parts: Connection, name: str) -> None:
    visited = re.findall(r" on (\w+)_(\d) ", "\n".join(plan(parts, statements()[name])))
    assert visited, "the plan names no part, so it proves nothing"
    assert len({part for _, part in visited}) == 1, f"{name} visits {visited} of {PARTS} parts each"


def test_a_statement_without_the_organization_visits_every_part(parts: Connection) -> None:
    lines = "\n".join(plan(parts, select(collections.c.id).where(collections.c.id == bindparam("collection"))))
    assert {*re.findall(r" on collections_(\d) ", lines)} == {str(part) for part in range(PARTS)}
