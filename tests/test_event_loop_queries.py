"""Queries on the event loop: the same rows and errors as in a thread, without blocking."""

import asyncio
import contextvars
import threading
from collections.abc import Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import bindparam, func, insert, literal, select, text
from sqlalchemy.exc import IntegrityError

from models import collections, organizations, schema
from models.db import connection
from models.db.concurrency_limit import MAX_USERS, ConcurrencyLimit
from models.db.context import current_database
from models.db.database import Database
from models.exceptions import NotFound, Unavailable
from tools.testing import databases
from tools.testing.callers import HOME, caller

R = TypeVar("R")
SLEEP = select(func.pg_sleep(bindparam("seconds")).label("slept"), literal(1).label("one"))
OWN_PID = select(func.pg_backend_pid().label("pid"))
TERMINATE = select(func.pg_terminate_backend(bindparam("pid")).label("ended"))
ALICE = caller("alice", HOME)


@pytest.fixture(params=databases.KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with databases.migrated(request.param, tmp_path) as url:
        yield from _open(url)


@pytest.fixture
def postgres() -> Iterator[Database]:
    with databases.migrated("postgresql", Path()) as url:
        yield from _open(url)


def _open(url: str) -> Iterator[Database]:
    with Database(url, pool_size=2, statement_timeout_ms=1000) as database:
        organizations.join(HOME, "alice")
        yield database


async def call(function: Any, *args: Any, writes: bool = False) -> Any:
    database: Any = current_database.get()
    return await database.call(function, *args, writes=writes)


def on_loop(work: Coroutine[Any, Any, R]) -> R:
    """Runs a coroutine on a new event loop, and closes its connections."""

    async def whole() -> R:
        try:
            return await work
        finally:
            current_database.get().close_loop_connections()
            await asyncio.sleep(0.02)

    return asyncio.run(whole())


def test_event_loop_and_thread_read_the_same_rows(store: Database) -> None:
    made = collections.create(ALICE, HOME, name="Focus", description="a\nb \u00e9")
    assert on_loop(call(collections.get, ALICE, HOME, made.id)) == made == collections.get(ALICE, HOME, made.id)
    assert on_loop(call(collections.list_page, ALICE, HOME, 5, 0)) == [made]


def test_missing_row_is_not_found_on_the_event_loop(store: Database) -> None:
    with pytest.raises(NotFound):
        on_loop(call(collections.get, ALICE, HOME, "mcoll_000000000000"))


def test_transaction_on_the_event_loop_is_atomic(store: Database) -> None:
    made = collections.create(ALICE, HOME, name="Focus")

    def rename_and_fail() -> None:
        collections.update(ALICE, HOME, made.id, {"name": "Rain"}, None)
        raise LookupError

    with pytest.raises(LookupError):
        on_loop(call(connection.transaction(rename_and_fail), writes=True))
    assert collections.get(ALICE, HOME, made.id).name == "Focus"
    on_loop(call(collections.update, ALICE, HOME, made.id, {"name": "Rain"}, None, writes=True))
    assert collections.get(ALICE, HOME, made.id).name == "Rain"


def test_failed_statement_raises_the_same_class_on_event_loop_and_thread(store: Database) -> None:
    wrong = insert(schema.collections).values(id="mcoll_0", organization_id=HOME, owner_id="nobody")
    kinds = []
    for run in (lambda: connection.execute(wrong), lambda: on_loop(call(connection.execute, wrong, writes=True))):
        with pytest.raises(IntegrityError) as failed:
            run()
        kinds.append(type(failed.value))
    assert kinds == [IntegrityError] * 2


def test_expanding_in_clause_works_on_the_event_loop(store: Database) -> None:
    made = [collections.create(ALICE, HOME, name=name).id for name in ("a", "b", "c")]
    column = schema.collections.c.id
    listed = select(column).where(column.in_(bindparam("ids", expanding=True))).order_by(column)

    def found(ids: list[str]) -> list[str]:
        return [row.id for row in connection.fetch_all(listed, ids=ids)]

    for ids in ([], made[:1], made):
        assert on_loop(call(found, ids)) == found(ids) == sorted(ids)


def test_sqlite_writes_run_in_a_thread_and_the_rest_on_the_event_loop(store: Database) -> None:
    thread = threading.current_thread().name
    assert on_loop(call(lambda: threading.current_thread().name)) == thread
    wrote = on_loop(call(lambda: threading.current_thread().name, writes=True))
    assert (wrote == thread) is store.is_postgres


def test_writes_of_one_user_leave_threads_to_others(tmp_path: Path) -> None:
    """On SQLite, where all writes wait for one another."""
    release, running = threading.Event(), threading.Semaphore(0)

    def hold() -> bool:
        running.release()
        return release.wait(10)

    async def race() -> list[bool]:
        database: Any = current_database.get()
        held: list[asyncio.Task[bool]] = [
            asyncio.create_task(database.call(hold, writes=True, user_id="alice")) for _ in range(6)
        ]
        try:
            async with asyncio.timeout(5):
                assert [await asyncio.to_thread(running.acquire, timeout=4) for _ in range(2)] == [True, True]
                assert await database.call(lambda: "written", writes=True, user_id="bob") == "written"
            assert not running.acquire(blocking=False)
        finally:
            release.set()
        return await asyncio.gather(*held)

    with databases.migrated("sqlite", tmp_path) as url, Database(url, pool_size=4):
        assert on_loop(race()) == [True] * 6


def test_concurrency_limit_gives_up_in_time_and_remembers_a_bounded_number_of_users() -> None:
    async def acquire() -> None:
        limit = ConcurrencyLimit(1, seconds=0.01)
        slot = await limit.acquire("alice")
        with pytest.raises(Unavailable):
            await limit.acquire("alice")
        slot.release()
        (await limit.acquire("alice")).release()
        for number in range(2 * MAX_USERS):
            (await limit.acquire(f"user {number}")).release()
        assert len(limit._users) <= MAX_USERS

    asyncio.run(acquire())


def test_sqlite_write_on_the_event_loop_raises(tmp_path: Path) -> None:
    with databases.migrated("sqlite", tmp_path) as url:
        for _ in _open(url):
            for work in (collections.create, connection.transaction(collections.create)):
                with pytest.raises(RuntimeError, match=r"operations other than GET"):
                    on_loop(call(partial(work, ALICE, HOME, name="Focus")))


def test_conflicting_transactions_are_retried_on_the_event_loop(postgres: Database) -> None:
    ids = [collections.create(ALICE, HOME, name=name).id for name in ("a", "b")]
    runs: list[str] = []

    @connection.transaction
    def rename(first: str, second: str) -> None:
        runs.append(first)
        for found in (first, second):
            collections.update(ALICE, HOME, found, {"name": first}, None)
            connection.fetch_one(SLEEP, seconds=0.02)

    async def cross() -> None:
        await asyncio.gather(call(rename, *ids, writes=True), call(rename, *reversed(ids), writes=True))

    with Database(postgres.url):  # the default timeout, as PostgreSQL detects a deadlock after one second
        on_loop(cross())
    assert len(runs) == 3
    assert len({collections.get(ALICE, HOME, found).name for found in ids}) == 1


def test_slow_query_does_not_block_the_event_loop(postgres: Database) -> None:
    async def watch() -> int:
        query, ticks = asyncio.create_task(call(lambda: connection.fetch_one(SLEEP, seconds=0.4))), 0
        while not query.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert (await query).one == 1
        return ticks

    assert on_loop(watch()) > 5


def test_queries_beyond_the_pool_size_wait_for_a_connection(postgres: Database) -> None:
    async def fetch_many() -> list[Any]:
        pids = [call(lambda: connection.fetch_one(OWN_PID)) for _ in range(40)]
        return [row.pid for row in await asyncio.gather(*pids)]

    found = on_loop(fetch_many())
    assert len(found) == 40
    assert len(set(found)) <= 2


def test_dead_connection_is_replaced_transparently(postgres: Database) -> None:
    async def reconnect() -> tuple[int, int]:
        first = (await call(lambda: connection.fetch_one(OWN_PID))).pid
        assert await asyncio.to_thread(connection.fetch_one, TERMINATE, pid=first)
        return first, (await call(lambda: connection.fetch_one(OWN_PID))).pid

    first, second = on_loop(reconnect())
    assert first != second


def test_statement_timeout_raises_unavailable(postgres: Database) -> None:
    with pytest.raises(Unavailable):
        on_loop(call(lambda: connection.fetch_one(SLEEP, seconds=30)))


def test_without_prepared_statements_queries_run_in_threads(postgres: Database) -> None:
    with Database(postgres.url, prepared_statements=False):
        ran = on_loop(call(lambda: (threading.current_thread().name, collections.list_page(ALICE, HOME, 5, 0))))
        assert ran[0].startswith("worker")
        assert ran[1] == []
        assert connection.fetch_one(text("SELECT count(*) AS kept FROM pg_prepared_statements")).kept == 0  # type: ignore[union-attr]
        assert connection.fetch_one(text("SHOW statement_timeout")).statement_timeout == "0"  # type: ignore[union-attr]


def test_query_without_a_current_database_raises_with_advice() -> None:
    with pytest.raises(RuntimeError, match="with Database"):
        contextvars.Context().run(collections.list_page, ALICE, HOME, 5, 0)


def test_two_databases_in_one_process_are_isolated(tmp_path: Path) -> None:
    with databases.migrated("sqlite", tmp_path) as url, databases.migrated("sqlite", tmp_path) as other:
        for first in _open(url):
            collections.create(ALICE, HOME, name="first")
            for _ in _open(other):
                assert collections.list_page(ALICE, HOME, 5, 0) == []
            assert [found.name for found in collections.list_page(ALICE, HOME, 5, 0)] == ["first"]
            assert first.in_use == 0
