"""Query plans: every statement uses an index."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Connection, Executable, Insert, update

from models.base import now
from models.db import engines, migrate
from models.schema import tracks
from tools.testing import databases, seed
from tools.testing.query_plans import plan
from tools.testing.statements import statements

# Statements of operator commands, which read all rows.
FULL_SCANS = {
    "models.collection_versions.HIGHEST",
    "models.collection_versions.RENEW",
    "models.key_events.LIST_ALL",
    "models.key_queries.LIST",
    "models.organizations.MEMBERS",  # all members of an organization, and the seed has one organization
    "models.share_queries.LIST_ALL",
    "models.share_revocation.BATCH_END",  # an hourly look at a small table
    "models.share_revocation.DELETE_BATCH_ROWS",
    "models.track_audio.DELETED",  # has a test of its own, with audio in the tables
    "models.track_audio.LIVE",
    "models.track_queries.LIST",
    "models.usage.FOCUS_OF_EVERYBODY",
    "models.usage.OF_EVERYBODY",
}
# A row for each engine that an operator has changed.
SMALL_TABLES = {"models.engines.LIST"}
ON_POSTGRESQL = {"models.collection_track_queries.MOVE_ALL"}
# The first sorts a page of at most 500 rows, because a join does not guarantee the order. The second sorts a collection
# where that is as large as its organization, so that all tracks are read at once.
SORTS_ITS_PAGE = {"models.collection_track_queries.LIST_OR_EMPTY", "models.share_queries.TRACKS"}
# Read the queue from its beginning, in an index that has the jobs that wait or are at work, or the active sessions, and
# no others.
QUEUE_INDEXES = {"ix_generations_active", "ix_focus_sessions_active", "ix_focus_sessions_one_active"}
READS_THE_QUEUE = {
    "models.generation_queue.OLDEST",
    "models.generation_queue.QUEUED",
    "models.generation_queue.REQUEUE_ALL",
    "models.generation_queue.SECONDS",
    "models.generation_queue.RUNNING",
    "models.generation_work.HELD_BY",
    "models.generation_work.QUEUE",
    "models.generation_work.RUNNING",
    "models.focus_work.HELD_BY",
    "models.focus_work.HOLDERS",
    "models.focus_work.QUEUE",
    "models.focus_queue.STATE",
    "models.focus_retention.ABANDONED",
}
# Sorts the jobs that one caller has asked for in a month, to group them by engine.
SORTS_ITS_GROUPS = {"models.usage.OF_CALLER", "models.usage.FOCUS_OF_CALLER"}


@pytest.fixture(scope="module", params=databases.KINDS)
def planner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A connection as the service makes it, to a filled and analysed database."""
    with databases.fresh(request.param, tmp_path_factory.mktemp("plans")) as url:
        migrate.upgrade(url)
        seed.fill(url, 3000, 100, 500, lambda _count: None)
        engine = engines.create_pooled(url, pool_size=1, statement_timeout_ms=engines.STATEMENT_MS)
        with engine.connect() as connection:
            yield connection
        engine.dispose()


def scans(lines: list[str]) -> list[str]:
    """The steps of a plan that scan or sort."""
    return [line.strip() for line in lines if _is_scan(line.strip())]


def _is_scan(line: str) -> bool:
    if line.startswith("SCAN"):
        # A page or a constant within the statement is small.
        return not line.startswith(("SCAN CONSTANT ROW", "SCAN page"))
    # ANY is a skip scan over an index that begins with another column.
    return any(word in line for word in ("ANY(", "TEMP B-TREE", "Seq Scan", "Bitmap", "Sort Key"))


def _request_statements() -> list[str]:
    known = {id(found): name for name, found in reversed(statements().items())}
    plain = {name for name, found in statements().items() if _is_plain_insert(found)}
    return sorted(
        set(known.values()) - FULL_SCANS - SMALL_TABLES - plain - ON_POSTGRESQL - {"models.idempotency.TRY_LOCK"}
    )


def _is_plain_insert(statement: Executable) -> bool:
    return isinstance(statement, Insert) and statement.select is None


@pytest.mark.parametrize("name", _request_statements())
def test_every_statement_uses_an_index(planner: Connection, name: str) -> None:
    lines = plan(planner, statements()[name])
    word = "ORDER BY" if name in SORTS_ITS_PAGE else "GROUP BY" if name in SORTS_ITS_GROUPS else ""
    sorts = ("Sort Key", f"USE TEMP B-TREE FOR {word}") if word else ()
    queue = QUEUE_INDEXES if name in READS_THE_QUEUE else set()
    found = [line for line in scans(lines) if not line.startswith(sorts) and line.split()[-1] not in queue]
    assert not found, f"{name}:\n" + "\n".join(lines)
    scanned = set(_scanned_indexes(planner, lines)) - queue
    assert not scanned, f"full scan of {scanned}:\n" + "\n".join(lines)


@pytest.mark.parametrize("planner", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", sorted(ON_POSTGRESQL))
def test_every_postgresql_only_statement_uses_an_index(planner: Connection, name: str) -> None:
    test_every_statement_uses_an_index(planner, name)


def _scanned_indexes(connection: Connection, lines: list[str]) -> Iterator[str]:
    """Indexes that PostgreSQL scans completely, because the condition lacks their first column."""
    for line, after in pairwise([*lines, ""]):
        if found := re.search(r"using (\w+) on", line):
            first = connection.exec_driver_sql(f"SELECT pg_get_indexdef('{found[1]}'::regclass, 1, true)").scalar_one()
            if f"({first} " not in after.partition("Index Cond: ")[2]:
                yield found[1]


def test_full_table_scan_is_detected(planner: Connection) -> None:
    assert scans(plan(planner, statements()["models.key_queries.LIST"]))


@pytest.mark.parametrize("kind", databases.KINDS)
def test_deleted_audio_is_found_among_much_other_audio(kind: str, tmp_path: Path) -> None:
    """The planner chooses between two partial indexes, and only one of them knows what is deleted."""
    with databases.migrated(kind, tmp_path) as url:
        seed.fill(url, 10, 1000, 10, lambda _count: None)
        engine = engines.create_pooled(url, pool_size=1, statement_timeout_ms=engines.STATEMENT_MS)
        with engine.connect() as connection:
            name = {"audio_name": tracks.c.id, "audio_bytes": 5, "mime_type": "audio/mpeg"}
            connection.execute(update(tracks).values(name))
            connection.execute(update(tracks).where(tracks.c.id == seed.track_id(5)).values(deleted_at=now()))
            connection.commit()
            connection.exec_driver_sql("ANALYZE")
            lines = plan(connection, statements()["models.track_audio.DELETED"])
        engine.dispose()
    assert "ix_tracks_deleted_audio" in "\n".join(lines)
    assert not scans(lines)
