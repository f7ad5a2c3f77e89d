"""SQLite: reads on a connection of each thread with prepared statements, writes on one connection in turn."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any, NoReturn, TypeVar

from sqlalchemy import Engine, Executable, PoolProxiedConnection, Select

from models.db import driver_errors, engines
from models.db.circuit_breaker import CircuitBreaker
from models.db.context import current_transaction
from models.db.sqlite_writer import SQLiteWriter
from models.db.statements import StatementCache
from models.exceptions import Unavailable

R = TypeVar("R")


class SQLiteExecutor:
    """Runs the statements of threads. Readers of a write-ahead log wait for nobody; writers of a process queue."""

    is_postgres = False

    def __init__(self, url: str, breaker: CircuitBreaker, *, pool_size: int) -> None:
        self._engine = engines.create_pooled(url, pool_size=pool_size, statement_timeout_ms=engines.STATEMENT_MS)
        self._reader = SQLiteReader(engines.create_unpooled(url, wait_seconds=0))
        self._writer = SQLiteWriter(engines.create_unpooled(url, wait_seconds=engines.BUSY_MS // 1000))
        self._breaker = breaker
        # A database in memory lives as long as a connection to it.
        self._anchor = self._engine.connect() if engines.is_in_memory(url) else None
        # SQLite takes one writer at a time, and its own waiting polls and is not fair.
        self._queue = threading.Lock()
        self.read_only = ReadOnlySQLite(self)

    @property
    def in_use(self) -> int:
        """One while somebody writes; a read is over before anybody could count it."""
        return self._writer.in_use

    def rows(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        """Every row; a statement that writes is a transaction of its own."""
        found = self._reader.rows(statement, binds)
        if found is not None:
            return found
        if statement.is_dml:
            return self.transaction(lambda: self._writer.execute(statement, binds).all())
        # What is not prepared, and what failed, which SQLAlchemy explains.
        with driver_errors.translate_errors(), self._engine.connect() as connection:
            return connection.execute(statement, binds).all()

    def execute(self, statement: Executable, binds: dict[str, Any]) -> int:
        """How many rows the statement wrote, in a transaction of its own."""
        return self.transaction(lambda: self._writer.execute(statement, binds).rowcount)

    def transaction(self, work: Callable[[], R]) -> R:
        """Runs the work as one transaction on the writer's connection."""
        with driver_errors.translate_errors(), self._breaker.guard(), self._turn() as left_ms:
            return self._committed(work, left_ms)

    def _committed(self, work: Callable[[], R], left_ms: int) -> R:
        with self._writer.transaction(left_ms) as writer:
            token = current_transaction.set(writer)
            try:
                result = work()
                writer.commit()
                return result
            finally:
                current_transaction.reset(token)

    @contextmanager
    def _turn(self) -> Iterator[int]:
        """Waits for the other writers; gives the milliseconds that are left to wait for the file."""
        started = monotonic()
        if not self._queue.acquire(timeout=engines.BUSY_MS / 1000):
            raise Unavailable("The database is busy with other writes")
        try:
            yield max(1, engines.BUSY_MS - int((monotonic() - started) * 1000))
        finally:
            self._queue.release()

    def close(self) -> None:
        """Closes every connection."""
        if self._anchor is not None:
            self._anchor.close()
        self._reader.close()
        self._writer.close()
        self._engine.dispose()


class ReadOnlySQLite:
    """The same for the event loop, which reads only: a write would block it."""

    is_postgres = False

    def __init__(self, executor: SQLiteExecutor) -> None:
        self.in_use = 0
        self._executor = executor

    def rows(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        """Every row. Raises RuntimeError for a statement that writes."""
        return self.execute(statement, binds) if statement.is_dml else self._executor.rows(statement, binds)

    def execute(self, _statement: Executable, _binds: dict[str, Any]) -> NoReturn:
        """Raises RuntimeError."""
        raise RuntimeError(
            "A read operation wrote: SQLite is written in a thread, where operations other than GET run."
        )

    def transaction(self, _work: Callable[[], Any]) -> NoReturn:
        """Raises RuntimeError."""
        raise RuntimeError("A read operation began a transaction: only operations other than GET may, in a thread.")

    def close(self) -> None:
        """Nothing of its own is open."""


class SQLiteReader:
    """Runs prepared reads, each thread on a connection of its own that it keeps.

    The engine must have no pool: what is kept would be missing from it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cache = StatementCache(engine.dialect)
        self._kept = threading.local()
        self._open: list[PoolProxiedConnection] = []

    def rows(self, statement: Executable, binds: dict[str, Any]) -> list[Any] | None:
        """Every row; None for what is not a prepared read, and for what fails."""
        prepared = self._cache.get(statement) if isinstance(statement, Select) else None
        if prepared is None:
            return None
        try:
            return prepared.to_rows(self._connection().execute(prepared.text, prepared.values(binds)).fetchall())
        except sqlite3.Error:
            return None

    def _connection(self) -> sqlite3.Connection:
        kept: sqlite3.Connection | None = getattr(self._kept, "connection", None)
        return self._opened() if kept is None else kept

    def _opened(self) -> sqlite3.Connection:
        borrowed = self._engine.raw_connection()
        self._open.append(borrowed)
        opened: Any = borrowed.driver_connection
        kept: sqlite3.Connection = opened
        self._kept.connection = kept
        return kept

    def close(self) -> None:
        """Closes every connection that a thread keeps."""
        while self._open:
            self._open.pop().close()
