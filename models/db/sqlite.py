"""Executor for SQLite: reads on one connection per thread with prepared statements, writes on one connection.

Decisions 28 and 29.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, NoReturn, TypeVar

from sqlalchemy import Engine, Executable, PoolProxiedConnection, Select

from models.db import driver_errors, engines
from models.db.circuit_breaker import CircuitBreaker
from models.db.context import run_in_transaction
from models.db.sqlite_file import SQLiteFile
from models.db.sqlite_writer import SQLiteWriter
from models.db.statements import StatementCache
from models.exceptions import Unavailable

R = TypeVar("R")


class SQLiteExecutor:
    """Runs statements in threads. With the write-ahead log, readers never wait; writers of a process queue."""

    is_postgres = False

    def __init__(self, url: str, breaker: CircuitBreaker, *, pool_size: int) -> None:
        self._file = SQLiteFile(url)
        check, seconds = self._file.require_in_place, engines.BUSY_MS // 1000
        self._engine = engines.create_pooled(
            url, pool_size=pool_size, statement_timeout_ms=engines.STATEMENT_MS, before_connect=check
        )
        self._reader = SQLiteReader(engines.create_unpooled(url, wait_seconds=0, before_connect=check))
        self._writer = SQLiteWriter(engines.create_unpooled(url, wait_seconds=seconds, before_connect=check))
        self._breaker = breaker
        # A database in memory exists as long as a connection to it is open.
        self._anchor = self._engine.connect() if engines.is_in_memory(url) else None
        # SQLite allows one writer at a time, and its own waiting polls and is not fair.
        self._queue = threading.Lock()
        self.read_only = ReadOnlySQLite(self, self._reader)

    @property
    def in_use(self) -> int:
        """1 during a write, else 0; reads are not counted."""
        return self._writer.in_use

    def rows(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        """All rows; a statement that writes is a transaction of its own. Raises Unavailable."""
        rows = self._reader.rows(statement, binds)
        return self.unprepared_rows(statement, binds) if rows is None else rows

    def unprepared_rows(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        """As `rows`, for what the reader does not run or could not."""
        if statement.is_dml:
            return self.transaction(lambda: self._writer.execute(statement, binds).all())
        # Statements that are not prepared, and those that failed: SQLAlchemy raises the proper exception.
        with driver_errors.translate_errors(), engines.giving_back(self._engine.connect()) as connection:
            return connection.execute(statement, binds).all()

    def execute(self, statement: Executable, binds: dict[str, Any]) -> int:
        """The number of rows written, in a transaction of its own. Raises Unavailable."""
        return self.transaction(lambda: self._writer.execute(statement, binds).rowcount)

    def transaction(self, work: Callable[[], R]) -> R:
        """Runs `work` as one transaction on the writer's connection. Raises Unavailable."""
        with driver_errors.translate_errors(), self._breaker.guard(), self._write_lock() as left_ms:
            return self._run_transaction(work, left_ms)

    def _run_transaction(self, work: Callable[[], R], left_ms: int) -> R:
        self._file.require_in_place()
        with self._writer.transaction(left_ms) as writer:
            return run_in_transaction(writer, work, writer.commit)

    @contextmanager
    def _write_lock(self) -> Iterator[int]:
        """Waits for the other writers; yields the milliseconds that are left for the lock of the file."""
        started = monotonic()
        if not self._queue.acquire(timeout=engines.BUSY_MS / 1000):
            raise Unavailable("The database is busy with other writes")
        try:
            yield max(1, engines.BUSY_MS - int((monotonic() - started) * 1000))
        finally:
            self._queue.release()

    def close(self) -> None:
        """Closes all connections."""
        if self._anchor is not None:
            self._anchor.close()
        self._reader.close()
        self._writer.close()
        self._engine.dispose()


class ReadOnlySQLite:
    """Executor for the event loop: reads only, because a write would block the loop."""

    is_postgres = False

    def __init__(self, executor: SQLiteExecutor, reader: SQLiteReader) -> None:
        self.in_use = 0
        self._executor = executor
        self._read = reader.rows

    def rows(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        """All rows. Raises RuntimeError for a statement that writes."""
        rows = self._read(statement, binds)
        if rows is not None:
            return rows
        return self.execute(statement, binds) if statement.is_dml else self._executor.unprepared_rows(statement, binds)

    def execute(self, _statement: Executable, _binds: dict[str, Any]) -> NoReturn:
        """Raises RuntimeError."""
        raise RuntimeError("A GET operation executed a write: only operations other than GET may write to SQLite.")

    def transaction(self, _work: Callable[[], Any]) -> NoReturn:
        """Raises RuntimeError."""
        raise RuntimeError("A GET operation began a transaction: only operations other than GET may write to SQLite.")

    def close(self) -> None:
        """No effect: it has no connections of its own."""


class SQLiteReader:
    """Runs prepared reads, on one connection per thread.

    The engine must have no pool, because the connections are never returned to it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cache = StatementCache(engine.dialect)
        self._local = threading.local()
        self._open: list[PoolProxiedConnection] = []

    def rows(self, statement: Executable, binds: dict[str, Any]) -> list[Any] | None:
        """All rows; None for a statement that is no prepared read, and after an error."""
        prepared = self._cache.get(statement) if isinstance(statement, Select) else None
        if prepared is None:
            return None
        try:
            connection = getattr(self._local, "connection", None) or self._connect()
            return prepared.to_rows(connection.execute(prepared.text, prepared.values(binds)).fetchall())
        except Exception:  # noqa: BLE001 - the second attempt raises it, with the class of SQLAlchemy
            self._discard()
            return None

    def _connect(self) -> sqlite3.Connection:
        proxied = self._engine.raw_connection()
        self._open.append(proxied)
        driver: Any = proxied.driver_connection
        connection: sqlite3.Connection = driver
        self._local.connection, self._local.proxied = connection, proxied
        return connection

    def _discard(self) -> None:
        """Closes the connection of this thread; the next read opens another."""
        if getattr(self._local, "connection", None) is not None:
            self._local.connection = None
            with suppress(Exception):  # a connection that cannot be closed is not used again either
                self._open.remove(self._local.proxied)
                self._local.proxied.close()

    def close(self) -> None:
        """Closes the connections of all threads."""
        while self._open:
            with suppress(Exception):  # the others must be closed too
                self._open.pop().close()
