"""The database asked by the event loop: the same rows, nobody held up, and the same refusals as in a thread."""

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import bindparam, func, literal, select, text

from models import collection_tracks, collections, organizations
from models.access import Caller
from models.db import connection, migrate
from models.db.event_loop import WouldBlock
from models.exceptions import NotFound, Unavailable
from tools.testing import databases

R = TypeVar("R")
HOME = "org_home"
ALICE = Caller("alice", frozenset((HOME,)), frozenset(), None)
SLEEP = select(func.pg_sleep(bindparam("seconds")).label("slept"), literal(1).label("one"))
OWN_PID = select(func.pg_backend_pid().label("pid"))
END = select(func.pg_terminate_backend(bindparam("pid")).label("ended"))


@pytest.fixture(params=databases.KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with databases.fresh(request.param, tmp_path) as url:
        yield from _connected(url)


@pytest.fixture
def postgres() -> Iterator[str]:
    with databases.postgres_database() as url:
        yield from _connected(url)


def _connected(url: str) -> Iterator[str]:
    migrate.upgrade(url)
    connection.connect(url, pool_size=2, statement_timeout_ms=1000)
    organizations.join(HOME, "alice")
    yield url
    connection.disconnect()


def on_loop(work: Coroutine[Any, Any, R]) -> R:
    """The result of the work, on an event loop whose connections end with it."""

    async def whole() -> R:
        try:
            return await work
        finally:
            if connection.is_postgres() and connection._quick is not None:
                connection._quick.close()
            await asyncio.sleep(0.02)

    return asyncio.run(whole())


async def ask(function: Any, *args: Any, writes: bool = False) -> Any:
    return await connection.run_on_loop(function, *args, writes=writes)


def test_the_event_loop_reads_what_a_thread_reads(store: str) -> None:
    made = collections.create(ALICE, HOME, name="Focus", description="a\nb \u00e9")
    assert on_loop(ask(collections.get, ALICE, HOME, made.id)) == made == collections.get(ALICE, HOME, made.id)
    assert on_loop(ask(collections.list_page, ALICE, HOME, 5, 0)) == [made]


def test_what_is_missing_is_missing_on_the_event_loop_too(store: str) -> None:
    with pytest.raises(NotFound):
        on_loop(ask(collections.get, ALICE, HOME, "mcoll_000000000000"))


def test_a_transaction_is_left_to_a_thread_before_it_has_begun(store: str) -> None:
    made = collections.create(ALICE, HOME, name="Focus")
    with pytest.raises(WouldBlock):
        on_loop(ask(collection_tracks.add, ALICE, HOME, made.id, "mtrack_000000000000", None, writes=True))


def test_postgresql_is_written_by_the_event_loop_and_sqlite_is_not(store: str) -> None:
    def write() -> collections.Collection:
        return collections.create(ALICE, HOME, name="Focus")

    if connection.is_postgres():
        made = on_loop(ask(write, writes=True))
        assert collections.get(ALICE, HOME, made.id) == made
    else:
        with pytest.raises(WouldBlock):
            on_loop(ask(write, writes=True))


def test_what_has_been_written_is_not_written_again_by_a_thread(postgres: str) -> None:
    def write_twice() -> None:
        made = collections.create(ALICE, HOME, name="Focus")
        collection_tracks.add(ALICE, HOME, made.id, "mtrack_000000000000", None)

    with pytest.raises(RuntimeError, match="make it one transaction"):
        on_loop(ask(write_twice, writes=True))


def test_others_go_on_while_postgresql_takes_its_time(postgres: str) -> None:
    async def watch() -> int:
        asked, ticks = asyncio.create_task(ask(lambda: connection.fetch_one(SLEEP, seconds=0.4))), 0
        while not asked.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert (await asked).one == 1
        return ticks

    assert on_loop(watch()) > 5


def test_more_than_there_are_connections_take_turns(postgres: str) -> None:
    async def crowd() -> list[Any]:
        pids = [ask(lambda: connection.fetch_one(OWN_PID)) for _ in range(40)]
        return [row.pid for row in await asyncio.gather(*pids)]

    found = on_loop(crowd())
    assert len(found) == 40
    assert len(set(found)) <= 2


def test_a_dead_connection_is_replaced_without_a_word(postgres: str) -> None:
    async def survive() -> tuple[int, int]:
        first = (await ask(lambda: connection.fetch_one(OWN_PID))).pid
        assert await asyncio.to_thread(connection.fetch_one, END, pid=first)
        return first, (await ask(lambda: connection.fetch_one(OWN_PID))).pid

    first, second = on_loop(survive())
    assert first != second


def test_a_statement_that_takes_too_long_is_refused(postgres: str) -> None:
    with pytest.raises(Unavailable):
        on_loop(ask(lambda: connection.fetch_one(SLEEP, seconds=30)))


def test_a_pooler_that_shares_sessions_is_asked_by_threads_alone(postgres: str) -> None:
    connection.connect(postgres, prepare=False)
    with pytest.raises(WouldBlock):
        on_loop(ask(collections.list_page, ALICE, HOME, 5, 0))
    assert collections.list_page(ALICE, HOME, 5, 0) == []
    assert connection.fetch_one(text("SELECT count(*) AS kept FROM pg_prepared_statements")).kept == 0  # type: ignore[union-attr]
    assert connection.fetch_one(text("SHOW statement_timeout")).statement_timeout == "0"  # type: ignore[union-attr]
