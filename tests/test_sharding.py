"""Tables can be distributed by organization: every key and every request statement has it."""

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

import models.base
from models.base import metadata
from models.db import engines, migrate
from models.db.distribute import DISTRIBUTION_COLUMN
from models.schema import collections
from tests.deployments.partitioned import DISTRIBUTED, PARTITIONS, create_tables
from tools.testing import databases
from tools.testing.query_plans import plan
from tools.testing.statements import statements

MODELS = Path(models.base.__file__).parent
# Alembic's table, which is not distributed.
NOT_DISTRIBUTED = {"alembic_version"}

TYPES = {name: table.info.get("citus_table_type") for name, table in metadata.tables.items()}


def test_every_table_declares_its_place_in_a_cluster() -> None:
    unplaced = [name for name, kind in TYPES.items() if kind not in ("reference", "distributed", "local")]
    assert not unplaced, (
        f"{unplaced}: add info=DISTRIBUTED to the table, or info=REFERENCE with the reason why every node has a copy."
    )


def test_every_copy_has_its_reason() -> None:
    sources = "".join(file.read_text(encoding="utf-8") for file in MODELS.glob("*.py"))
    assert sources.count("info=REFERENCE") == list(TYPES.values()).count("reference")
    assert not re.findall(r"info=REFERENCE,(?!  # \w.{10,}).*", sources)


def violations(tables: MetaData) -> Iterator[str]:
    """Violations that prevent the distribution of the tables."""
    for table in tables.tables.values():
        yield from _misplaced_references(table) if TYPES.get(table.name) == "reference" else _keys_without(table)


def _keys_without(table: Table) -> Iterator[str]:
    if table.name in NOT_DISTRIBUTED:
        return
    if DISTRIBUTION_COLUMN not in table.c or table.c[DISTRIBUTION_COLUMN].nullable:
        yield f"{table.name} lacks {DISTRIBUTION_COLUMN} NOT NULL"
    for rule in table.constraints:
        if isinstance(rule, PrimaryKeyConstraint | UniqueConstraint) and DISTRIBUTION_COLUMN not in rule.columns:
            yield f"{table.name}: {rule.name} lacks {DISTRIBUTION_COLUMN}"
        if isinstance(rule, ForeignKeyConstraint) and (DISTRIBUTION_COLUMN, DISTRIBUTION_COLUMN) not in _pairs(rule):
            yield f"{table.name}: {rule.name} does not reference {DISTRIBUTION_COLUMN} by {DISTRIBUTION_COLUMN}"
    yield from (
        f"{table.name}: {one.name} lacks {DISTRIBUTION_COLUMN}"
        for one in table.indexes
        if one.unique and DISTRIBUTION_COLUMN not in one.columns
    )


def _misplaced_references(table: Table) -> Iterator[str]:
    for key in table.foreign_key_constraints:
        if key.referred_table.name not in TYPES or TYPES[key.referred_table.name] == "distributed":
            yield f"{table.name}: {key.name} references a distributed table from a reference table"


def _pairs(key: ForeignKeyConstraint) -> set[tuple[str, str]]:
    return {(part.parent.name, part.column.name) for part in key.elements}


def test_keys_of_distributed_tables_include_the_organization() -> None:
    assert list(violations(metadata)) == []


@pytest.mark.parametrize("kind", databases.KINDS)
def test_keys_of_a_migrated_database_include_the_organization(kind: str, tmp_path: Path) -> None:
    with databases.fresh(kind, tmp_path) as url:
        migrate.upgrade(url)
        engine, found = engines.create_unpooled(url, wait_seconds=5), MetaData()
        found.reflect(engine)
        engine.dispose()
    assert found.tables.keys() == metadata.tables.keys() | NOT_DISTRIBUTED
    assert list(violations(found)) == []


def test_key_without_the_organization_is_detected() -> None:
    other = MetaData()
    for table in metadata.tables.values():
        table.to_metadata(other)
    other.tables["collections"].append_constraint(UniqueConstraint("id", name="by_id"))
    other.tables["api_keys"].append_constraint(ForeignKeyConstraint(["id"], ["collections.id"], name="astray"))
    Table("shares", other, Column("id", Text, primary_key=True), Column("owner_id", Text))
    assert sorted(violations(other)) == [
        "api_keys: astray references a distributed table from a reference table",
        "collections: by_id lacks organization_id",
        "shares lacks organization_id NOT NULL",
        "shares: None lacks organization_id",
    ]


@pytest.fixture(scope="module")
def partitioned() -> Iterator[Connection]:
    """A connection as the service makes it, to partitioned tables."""
    with databases.postgres_database() as url:
        create_tables(url)
        engine = engines.create_pooled(url, pool_size=1, statement_timeout_ms=engines.STATEMENT_MS)
        with engine.connect() as connection:
            yield connection
        engine.dispose()


# Statements of maintenance, of operator commands and of the queue, which is that of all organizations.
ALL_ORGANIZATIONS = {
    "models.collection_versions.HIGHEST",
    "models.collection_versions.RENEW",
    "models.focus_audio.UNPURGED",
    "models.focus_queue.STATE",
    "models.focus_retention.ABANDONED",
    "models.focus_retention.BATCH_END",
    "models.focus_retention.DELETE_BATCH_ROWS",
    "models.focus_work.HELD_BY",
    "models.focus_work.HOLDERS",
    "models.focus_work.QUEUE",
    "models.generation_queue.BATCH_END",
    "models.generation_queue.DELETE_BATCH_ROWS",
    "models.generation_queue.OLDEST",
    "models.generation_queue.QUEUED",
    "models.generation_queue.REQUEUE_ALL",
    "models.generation_queue.RUNNING",
    "models.generation_work.HELD_BY",
    "models.generation_work.QUEUE",
    "models.generation_work.RUNNING",
    "models.idempotency.BATCH_END",
    "models.idempotency.DELETE_BATCH_ROWS",
    "models.key_events.LIST_ALL",
    "models.usage.FOCUS_OF_EVERYBODY",
    "models.usage.OF_EVERYBODY",
    "models.track_audio.DELETED",
    "models.track_audio.LIVE",
}
# The deletion of a track takes it out of the libraries of every organization.
OF_A_DELETION = {"models.library_queries.REMOVE_ALL"}


def _request_statements() -> list[str]:
    """Names of the statements on distributed tables, except plain INSERTs, whose plan names no partition."""
    known = {id(statement): name for name, statement in reversed(statements().items()) if _reads_distributed(statement)}
    return sorted({*known.values()} - ALL_ORGANIZATIONS - OF_A_DELETION)


def _reads_distributed(statement: Executable) -> bool:
    inner: Any = statement.select if isinstance(statement, Insert) else statement
    found = visitors.iterate(inner) if inner is not None else ()
    return any(isinstance(one, Table) and one.name in DISTRIBUTED for one in found)


@pytest.mark.parametrize("name", _request_statements())
def test_every_request_statement_reads_one_partition(partitioned: Connection, name: str) -> None:
    visited = re.findall(r" on (\w+)_(\d) ", "\n".join(plan(partitioned, statements()[name])))
    assert visited, "the plan names no partition"
    assert len({part for _, part in visited}) == 1, f"{name} reads {visited} of {PARTITIONS} partitions each"


def test_statement_without_the_organization_reads_every_partition(partitioned: Connection) -> None:
    lines = "\n".join(plan(partitioned, select(collections.c.id).where(collections.c.id == bindparam("collection"))))
    assert {*re.findall(r" on collections_(\d) ", lines)} == {str(part) for part in range(PARTITIONS)}
