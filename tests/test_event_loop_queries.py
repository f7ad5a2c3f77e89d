"""The database asked by the event loop: the same rows, nobody held up, and the same refusals as in a thread."""

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
from models.access import Caller
from models.db import connection
from models.db.context import current_database
from models.db.database import Database
from models.exceptions import NotFound, Unavailable
from tools.testing import databases

R = TypeVar("R")
HOME = "org_home"
ALICE = Caller("alice", frozenset((HOME,)), frozenset(), None)
SLEEP = select(func.pg_sleep(bindparam("seconds")).label("slept"), literal(1).label("one"))
OWN_PID = select(func.pg_backend_pid().label("pid"))
END = select(func.pg_terminate_backend(bindparam("pid")).label("ended"))


@pytest.fixture(params=databases.KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with databases.migrated(request.param, tmp_path) as url:
        yield from _opened(url)


@pytest.fixture
def postgres() -> Iterator[Database]:
    with databases.migrated("postgresql", Path()) as url:
        yield from _opened(url)


def _opened(url: str) -> Iterator[Database]:
    with Database(url, pool_size=2, statement_timeout_ms=1000) as database:
        organizations.join(HOME, "alice")
        yield database


async def ask(function: Any, *args: Any, writes: bool = False) -> Any:
    return await current_database.get().call(function, *args, writes=writes)


def on_loop(work: Coroutine[Any, Any, R]) -> R:
    """The result of the work, on an event loop whose connections end with it."""

    async def whole() -> R:
        try:
            return await work
        finally:
            current_database.get().close_loop_connections()
            await asyncio.sleep(0.02)

    return asyncio.run(whole())


def test_the_event_loop_reads_what_a_thread_reads(store: Database) -> None:
    made = collections.create(ALICE, HOME, name="Focus", description="a\nb \u00e9")
    assert on_loop(ask(collections.get, ALICE, HOME, made.id)) == made == collections.get(ALICE, HOME, made.id)
    assert on_loop(ask(collections.list_page, ALICE, HOME, 5, 0)) == [made]


def test_what_is_missing_is_missing_on_the_event_loop_too(store: Database) -> None:
    with pytest.raises(NotFound):
        on_loop(ask(collections.get, ALICE, HOME, "mcoll_000000000000"))


def test_a_transaction_on_the_event_loop_is_committed_or_undone_as_one(store: Database) -> None:
    made = collections.create(ALICE, HOME, name="Focus")

    def rename_and_fail() -> None:
        collections.update(ALICE, HOME, made.id, {"name": "Rain"}, None)
        raise LookupError

    with pytest.raises(LookupError):
        on_loop(ask(connection.transaction(rename_and_fail), writes=True))
    assert collections.get(ALICE, HOME, made.id).name == "Focus"
    on_loop(ask(collections.update, ALICE, HOME, made.id, {"name": "Rain"}, None, writes=True))
    assert collections.get(ALICE, HOME, made.id).name == "Rain"


def test_a_failed_statement_has_the_same_class_on_the_event_loop_and_in_a_thread(store: Database) -> None:
    wrong = insert(schema.collections).values(id="mcoll_0", organization_id=HOME, owner_id="nobody")
    kinds = []
    for run in (lambda: connection.execute(wrong), lambda: on_loop(ask(connection.execute, wrong, writes=True))):
        with pytest.raises(IntegrityError) as failed:
            run()
        kinds.append(type(failed.value))
    assert kinds == [IntegrityError] * 2


def test_a_list_of_any_length_can_be_asked_for_on_the_event_loop(store: Database) -> None:
    made = [collections.create(ALICE, HOME, name=name).id for name in ("a", "b", "c")]
    column = schema.collections.c.id
    listed = select(column).where(column.in_(bindparam("ids", expanding=True))).order_by(column)

    def found(ids: list[str]) -> list[str]:
        return [row.id for row in connection.fetch_all(listed, ids=ids)]

    for ids in ([], made[:1], made):
        assert on_loop(ask(found, ids)) == found(ids) == sorted(ids)


def test_every_handler_runs_where_its_database_says(store: Database) -> None:
    thread = threading.current_thread().name
    assert on_loop(ask(lambda: threading.current_thread().name)) == thread
    wrote = on_loop(ask(lambda: threading.current_thread().name, writes=True))
    assert (wrote == thread) is store.is_postgres


def test_a_write_of_sqlite_on_the_event_loop_is_a_mistake(tmp_path: Path) -> None:
    with databases.migrated("sqlite", tmp_path) as url:
        for _ in _opened(url):
            for work in (collections.create, connection.transaction(collections.create)):
                with pytest.raises(RuntimeError, match=r"operations other than GET"):
                    on_loop(ask(partial(work, ALICE, HOME, name="Focus")))


def test_two_transactions_that_conflict_are_run_again_on_the_event_loop(postgres: Database) -> None:
    ids = [collections.create(ALICE, HOME, name=name).id for name in ("a", "b")]
    runs: list[str] = []

    @connection.transaction
    def rename(first: str, second: str) -> None:
        runs.append(first)
        for found in (first, second):
            collections.update(ALICE, HOME, found, {"name": first}, None)
            connection.fetch_one(SLEEP, seconds=0.02)

    async def cross() -> None:
        await asyncio.gather(ask(rename, *ids, writes=True), ask(rename, *reversed(ids), writes=True))

    with Database(postgres.url):  # with time enough for PostgreSQL to look for a deadlock, after a second
        on_loop(cross())
    assert len(runs) == 3
    assert len({collections.get(ALICE, HOME, found).name for found in ids}) == 1


def test_others_go_on_while_postgresql_takes_its_time(postgres: Database) -> None:
    async def watch() -> int:
        asked, ticks = asyncio.create_task(ask(lambda: connection.fetch_one(SLEEP, seconds=0.4))), 0
        while not asked.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert (await asked).one == 1
        return ticks

    assert on_loop(watch()) > 5


def test_more_than_there_are_connections_take_turns(postgres: Database) -> None:
    async def crowd() -> list[Any]:
        pids = [ask(lambda: connection.fetch_one(OWN_PID)) for _ in range(40)]
        return [row.pid for row in await asyncio.gather(*pids)]

    found = on_loop(crowd())
    assert len(found) == 40
    assert len(set(found)) <= 2


def test_a_dead_connection_is_replaced_without_a_word(postgres: Database) -> None:
    async def survive() -> tuple[int, int]:
        first = (await ask(lambda: connection.fetch_one(OWN_PID))).pid
        assert await asyncio.to_thread(connection.fetch_one, END, pid=first)
        return first, (await ask(lambda: connection.fetch_one(OWN_PID))).pid

    first, second = on_loop(survive())
    assert first != second


def test_a_statement_that_takes_too_long_is_refused(postgres: Database) -> None:
    with pytest.raises(Unavailable):
        on_loop(ask(lambda: connection.fetch_one(SLEEP, seconds=30)))


def test_a_pooler_that_shares_sessions_is_asked_by_threads_alone(postgres: Database) -> None:
    with Database(postgres.url, prepared_statements=False):
        ran = on_loop(ask(lambda: (threading.current_thread().name, collections.list_page(ALICE, HOME, 5, 0))))
        assert ran[0].startswith("worker")
        assert ran[1] == []
        assert connection.fetch_one(text("SELECT count(*) AS kept FROM pg_prepared_statements")).kept == 0  # type: ignore[union-attr]
        assert connection.fetch_one(text("SHOW statement_timeout")).statement_timeout == "0"  # type: ignore[union-attr]


def test_a_query_outside_of_a_database_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="with Database"):
        contextvars.Context().run(collections.list_page, ALICE, HOME, 5, 0)


def test_two_databases_in_one_process_do_not_meet(tmp_path: Path) -> None:
    with databases.migrated("sqlite", tmp_path) as url, databases.migrated("sqlite", tmp_path) as other:
        for first in _opened(url):
            collections.create(ALICE, HOME, name="first")
            for _ in _opened(other):
                assert collections.list_page(ALICE, HOME, 5, 0) == []
            assert [found.name for found in collections.list_page(ALICE, HOME, 5, 0)] == ["first"]
            assert first.in_use == 0
