"""Every statement finds its rows by an index, so that the millionth collection is served as fast as the first."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Connection, Executable, Insert

from models.db import engines, migrate
from tests.test_statements import statements
from tools.testing import databases, seed
from tools.testing.service import HOME

# Asked by an operator's command and never by a request: all rows are what they want.
WHOLE_TABLES = {"models.key_events.LIST_ALL", "models.key_queries.LIST", "models.tracks.LIST"}
BINDS: dict[str, Any] = {
    "organization": HOME,
    "organization_id": HOME,
    "owner": seed.user(0),
    "user_id": seed.user(0),
    "collection": seed.collection_id(0),
    "track": seed.track_id(5),
    "track_id": seed.track_id(5),
    "track_ids": [seed.track_id(number) for number in range(40)],
    "key": "key",
    "key_id": "mkey_000000000000",
    "digest": b"0" * 32,
    "source_digest": b"0" * 32,
    "limit": 50,
    "offset": 50,
    "count": 3,
    "expected": 1,
    "more": 1,
    "new_rank": 7,
    "moved": [seed.track_id(number) for number in range(40)],
    "new_ranks": list(range(40)),
    "number": 7,
    "new_state": "paused",
    "successor_id": "mkey_000000000001",
    "name": "Focus",
    "actor": "ida",
    "command": "serve",
    **dict.fromkeys(("set_name", "set_description", "set_cover_track_id", "set_cover_image_url"), True),
}
MOMENT, MOMENTS = datetime(2026, 1, 1, tzinfo=UTC), ("now", "before", "created_at", "ends_at")
ON_POSTGRESQL = {"models.collection_track_queries.MOVE_ALL"}
# A page in order already, of 500 rows at most: SQL promises the order of a join only to who asks for it.
SORTS_ITS_PAGE = {"models.collection_track_queries.LIST"}


@pytest.fixture(scope="module", params=databases.KINDS)
def planner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A connection of the service's own kind, to a database with rows and statistics."""
    with databases.fresh(request.param, tmp_path_factory.mktemp("plans")) as url:
        migrate.upgrade(url)
        seed.fill(url, 3000, 100, 500, lambda _count: None)
        engine = engines.create_pooled(url, pool_size=1, statement_timeout_ms=engines.STATEMENT_MS)
        with engine.connect() as connection:
            yield connection
        engine.dispose()


def plan(connection: Connection, statement: Executable) -> list[str]:
    """The lines of the plan that the database makes for the statement."""
    compiled: Any = statement.compile(dialect=connection.dialect)  # type: ignore[attr-defined]
    expanded = compiled.construct_expanded_state({name: _value(compiled, name) for name in compiled.params})
    values = {name: _processed(compiled, name, value) for name, value in expanded.parameters.items()}
    ordered = tuple(values[name] for name in expanded.positiontup) if expanded.positiontup else values
    word = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    return [str(row[-1]) for row in connection.exec_driver_sql(f"{word} {expanded.statement}", ordered)]


def _value(compiled: Any, name: str) -> Any:
    return MOMENT if name in MOMENTS else BINDS.get(name, compiled.params[name])


def _processed(compiled: Any, name: str, value: Any) -> Any:
    process = compiled._bind_processors.get(name)
    return process(value) if process else value


def waste(lines: list[str]) -> list[str]:
    """The steps of a plan that read or sort more than they give."""
    return [line.strip() for line in lines if _is_waste(line.strip())]


def _is_waste(line: str) -> bool:
    if line.startswith("SCAN"):
        # A page or a constant, made within the statement, is as small as what is given.
        return not line.startswith(("SCAN CONSTANT ROW", "SCAN page"))
    # ANY is a skip scan: a walk over all first columns of an index that begins with another column.
    return any(word in line for word in ("ANY(", "TEMP B-TREE", "Seq Scan", "Bitmap", "Sort Key"))


def _asked() -> list[str]:
    known = {id(told): name for name, told in reversed(statements().items())}
    plain = {name for name, told in statements().items() if _is_plain_insert(told)}
    return sorted(set(known.values()) - WHOLE_TABLES - plain - ON_POSTGRESQL - {"models.idempotency.TRY_LOCK"})


def _is_plain_insert(statement: Executable) -> bool:
    return isinstance(statement, Insert) and statement.select is None


@pytest.mark.parametrize("name", _asked())
def test_every_statement_finds_its_rows_by_an_index(planner: Connection, name: str) -> None:
    lines = plan(planner, statements()[name])
    sorts = ("Sort Key", "USE TEMP B-TREE FOR ORDER BY") if name in SORTS_ITS_PAGE else ()
    found = [line for line in waste(lines) if not line.startswith(sorts)]
    assert not found, f"{name}:\n" + "\n".join(lines)
    assert not (walked := list(_walked_indexes(planner, lines))), f"all of {walked} is read:\n" + "\n".join(lines)


@pytest.mark.parametrize("planner", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", sorted(ON_POSTGRESQL))
def test_so_does_every_statement_that_only_postgresql_knows(planner: Connection, name: str) -> None:
    test_every_statement_finds_its_rows_by_an_index(planner, name)


def _walked_indexes(connection: Connection, lines: list[str]) -> Iterator[str]:
    """The indexes that PostgreSQL reads from end to end: their first column is not what it looks for."""
    for line, after in pairwise([*lines, ""]):
        if found := re.search(r"using (\w+) on", line):
            first = connection.exec_driver_sql(f"SELECT pg_get_indexdef('{found[1]}'::regclass, 1, true)").scalar_one()
            if f"({first} " not in after.partition("Index Cond: ")[2]:
                yield found[1]


def test_a_plan_that_reads_everything_is_noticed(planner: Connection) -> None:
    assert waste(plan(planner, statements()["models.key_queries.LIST"]))
