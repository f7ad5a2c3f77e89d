"""The write connection of a process to SQLite, with prepared statements.

Decision 29.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self

from sqlalchemy import Connection, CursorResult, Engine, Executable, exc

from models.db import driver_errors
from models.db.context import WriteResult
from models.db.engines import BUSY_MS
from models.db.statements import StatementCache


class SQLiteWriter:
    """The single writer of a process: SQLite allows one writer at a time, so a pool would gain nothing.

    Only the thread that holds SQLiteExecutor's write lock may use it. Raises SQLAlchemy's exceptions.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cache = StatementCache(engine.dialect)
        self._open_connection: Connection | None = None
        self.in_use = 0

    @contextmanager
    def transaction(self, left_ms: int) -> Iterator[Self]:
        """A transaction, rolled back unless it is committed; waits at most `left_ms` ms for the file's lock."""
        self.in_use = 1
        try:
            self._begin(left_ms)
            yield self
        finally:
            self.in_use = 0
            self._rollback()

    def execute(self, statement: Executable, binds: Any) -> WriteResult | CursorResult[Any]:
        """Runs a statement; with a sequence of binds, once for each."""
        prepared = self._cache.get(statement)
        if prepared is not None and isinstance(binds, dict):
            rows, rowcount = self._run(prepared.text, prepared.values(binds))
            return WriteResult(prepared.to_rows(rows), rowcount)
        if prepared is not None and prepared.has_all(binds[0]):
            values = [prepared.values(row) for row in binds]
            return WriteResult([], self._run_many(prepared.text, values))
        return self._connection().execute(statement, binds)

    def commit(self) -> None:
        """Commits the transaction."""
        connection = self._connection()
        if connection.in_transaction():  # true only after a statement through SQLAlchemy
            connection.commit()
        else:
            self._run("COMMIT")

    def close(self) -> None:
        """Closes the connection; the next transaction opens another."""
        closing, self._open_connection = self._open_connection, None
        if closing is not None:
            with suppress(Exception):  # a connection that cannot be closed is not used again either
                closing.close()

    def _begin(self, left_ms: int) -> None:
        if left_ms > BUSY_MS * 0.9:
            self._run("BEGIN IMMEDIATE")
            return
        # After a long wait in the queue, the wait for the file is shorter, so that both together stay within BUSY_MS.
        self._run(f"PRAGMA busy_timeout = {left_ms}")
        try:
            self._run("BEGIN IMMEDIATE")
        finally:
            self._run(f"PRAGMA busy_timeout = {BUSY_MS}")

    def _rollback(self) -> None:
        if self._open_connection is None:
            return
        try:
            self._open_connection.rollback()
            self._driver().rollback()
        except Exception:  # noqa: BLE001 - whatever it is: SQLite rolls back what is not committed at the close
            self.close()

    def _run(self, text: str, values: Sequence[Any] = ()) -> tuple[list[Any], int]:
        """The rows, and the number of rows written."""
        try:
            cursor = self._driver().execute(text, values)
            return cursor.fetchall(), cursor.rowcount
        except Exception as error:
            raise _sqlalchemy_error(error, text) from error

    def _run_many(self, text: str, rows: Sequence[Sequence[Any]]) -> int:
        """Runs the statement once for each row of values; returns the number of rows written."""
        try:
            return self._driver().executemany(text, rows).rowcount
        except Exception as error:
            raise _sqlalchemy_error(error, text) from error

    def _driver(self) -> sqlite3.Connection:
        driver: Any = self._connection().connection.driver_connection
        connection: sqlite3.Connection = driver
        return connection

    def _connection(self) -> Connection:
        if self._open_connection is None:
            self._open_connection = self._engine.connect()
        return self._open_connection


def _sqlalchemy_error(error: Exception, text: str) -> Exception:
    if not isinstance(error, sqlite3.Error):
        return driver_errors.from_driver(error, text)
    kind = getattr(exc, type(error).__name__, exc.DBAPIError)  # both modules have the names of PEP 249
    raised: Exception = kind(text, None, error)
    return raised
