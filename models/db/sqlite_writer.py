"""How a process writes SQLite: on one connection that it keeps, with prepared statements where it can."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from sqlalchemy import Connection, CursorResult, Engine, Executable, exc

from models.db.context import WriteResult
from models.db.engines import BUSY_MS
from models.db.statements import StatementCache


class SQLiteWriter:
    """A process has one: SQLite takes one writer at a time, so a pool would only be asked again and again for nothing.

    It belongs to whoever has the turn. Failures are SQLAlchemy's.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cache = StatementCache(engine.dialect)
        self._kept: Connection | None = None
        self.in_use = 0

    @contextmanager
    def transaction(self, left_ms: int) -> Iterator[Self]:
        """A transaction, which is undone unless it is committed; it may wait so many milliseconds for the file."""
        self.in_use = 1
        try:
            self._begin(left_ms)
            yield self
        finally:
            self.in_use = 0
            self._rollback()

    def execute(
        self, statement: Executable, binds: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    ) -> WriteResult | CursorResult[Any]:
        """Runs a statement; with a sequence of binds, once for each."""
        prepared = self._cache.get(statement) if isinstance(binds, dict) else None
        if prepared is None or not isinstance(binds, dict):
            return self._connection().execute(statement, binds)
        found, rowcount = self._run(prepared.text, prepared.values(binds))
        return WriteResult(prepared.to_rows(found), rowcount)

    def commit(self) -> None:
        """Makes it last."""
        connection = self._connection()
        if connection.in_transaction():  # SQLAlchemy counts from its own first statement on
            connection.commit()
        else:
            self._run("COMMIT")

    def close(self) -> None:
        """Close the connection; the next transaction opens another."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _begin(self, left_ms: int) -> None:
        if left_ms > BUSY_MS * 0.9:
            self._run("BEGIN IMMEDIATE")
            return
        # Whoever has queued for long waits less for the file, so that both together stay within the limit.
        self._run(f"PRAGMA busy_timeout = {left_ms}")
        try:
            self._run("BEGIN IMMEDIATE")
        finally:
            self._run(f"PRAGMA busy_timeout = {BUSY_MS}")

    def _rollback(self) -> None:
        try:
            self._connection().rollback()
            self._driver().rollback()
        except (exc.DBAPIError, sqlite3.Error):
            self.close()

    def _run(self, text: str, values: Sequence[Any] = ()) -> tuple[list[Any], int]:
        """Rows, and how many were written."""
        try:
            cursor = self._driver().execute(text, values)
            return cursor.fetchall(), cursor.rowcount
        except sqlite3.Error as error:
            kind = getattr(exc, type(error).__name__)  # both have the names of PEP 249
            raise kind(text, None, error) from error

    def _driver(self) -> sqlite3.Connection:
        driver: Any = self._connection().connection.driver_connection
        found: sqlite3.Connection = driver
        return found

    def _connection(self) -> Connection:
        if self._kept is None:
            self._kept = self._engine.connect()
        return self._kept
