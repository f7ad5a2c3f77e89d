"""How work gets a connection: a dead one is replaced, and the writers of SQLite come one after another."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic, sleep
from typing import TypeVar

from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.exc import DBAPIError

from models.db import driver_errors
from models.db.circuit_breaker import CircuitBreaker
from models.db.engines import BUSY_MS
from models.db.sqlite_writer import SQLiteWriter
from models.exceptions import Unavailable

R = TypeVar("R")

# A dead connection of the pool is noticed at once; whatever took longer has used up the caller's patience.
_QUICK_SECONDS = 0.25
_RETRY_SECONDS = 1.15
_PAUSES = (0.02, 0.05, 0.1)

# SQLite takes one writer at a time, and its own waiting polls and is not fair: writers of a process queue here.
_turn = Lock()


def with_reconnect(work: Callable[[], R]) -> R:
    """Run the work, and again on a fresh connection if the first was found dead at once; for what only reads."""
    started = monotonic()
    try:
        return work()
    except DBAPIError as error:
        if not error.connection_invalidated or monotonic() - started > _QUICK_SECONDS:
            raise
    return work()


def retry_policy(statement: Executable) -> Callable[[Callable[[], R]], R]:
    """What only reads may be asked again of a fresh connection; a write may have happened."""
    return (lambda work: work()) if statement.is_dml else with_reconnect


def with_conflict_retry(work: Callable[[], R]) -> R:
    """Run a transaction, and again after a pause when it met another."""
    started = monotonic()
    for pause in _PAUSES:
        try:
            return work()
        except DBAPIError as error:
            if not driver_errors.is_serialization_failure(error) or monotonic() - started > _RETRY_SECONDS:
                raise
        sleep(pause * random.random())  # noqa: S311 - no secret, only a pause
    return work()


def begin_postgres(engine: Engine) -> Connection:
    """A connection of PostgreSQL inside a transaction, which is undone unless it is committed before it is closed."""
    return with_reconnect(lambda: _begin(engine))


@contextmanager
def begin_sqlite(writer: SQLiteWriter, silence: CircuitBreaker) -> Iterator[SQLiteWriter]:
    """The writer of SQLite inside a transaction, which is undone unless it is committed."""
    with silence.guard(), _queued() as left_ms, writer.transaction(left_ms):
        yield writer


def _begin(engine: Engine) -> Connection:
    connection = engine.connect()
    try:
        connection.exec_driver_sql("BEGIN")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _queued() -> Iterator[int]:
    started = monotonic()
    if not _turn.acquire(timeout=BUSY_MS / 1000):
        raise Unavailable("The database is busy with other writes")
    try:
        yield max(1, BUSY_MS - int((monotonic() - started) * 1000))
    finally:
        _turn.release()
