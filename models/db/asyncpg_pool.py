"""Connections of asyncpg for one event loop: opened when needed, bounded, and errors as SQLAlchemy's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any

import asyncpg
from asyncpg import exceptions
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy import URL, exc
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from models.db import engines

# After these a connection is of no more use, whether or not it has been closed already.
_ENDED = (OSError, exceptions.PostgresConnectionError, exceptions.AdminShutdownError, exceptions.CrashShutdownError,
          exceptions.CannotConnectNowError, exceptions.InvalidCachedStatementError,
          exceptions.InternalClientError)  # fmt: skip
_FAULTS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, exceptions.InternalClientError)
# SQLAlchemy's classes for the classes of SQLSTATE, as psycopg has them; any other is a DatabaseError.
_BY_CLASS: dict[str, type[DBAPIError]] = {
    **dict.fromkeys(("08", "28", "40", "53", "54", "55", "57", "58", "F0", "HV"), OperationalError),
    **dict.fromkeys(("21", "22"), exc.DataError),
    "23": exc.IntegrityError,
    "42": exc.ProgrammingError,
}


class AsyncpgConnection:
    """One connection, with the statements that it has prepared."""

    def __init__(self, connection: Any, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._statements: dict[str, PreparedStatement] = {}
        self._recycle_at = monotonic() + engines.RECYCLE_SECONDS

    def is_usable(self) -> bool:
        """Whether statements can run on it: still open as far as is known, and its event loop too."""
        return not self._connection.is_closed() and not self._loop.is_closed()

    def is_old(self) -> bool:
        """Whether another should take its place."""
        return monotonic() >= self._recycle_at

    async def run(self, text: str, values: Sequence[Any], *, keep: bool = True) -> tuple[list[Any], int]:
        """The rows, and how many were written; `keep` the statement prepared. Raises what the driver raises.

        Hangs up on a server that has gone silent.
        """
        watch = self._loop.call_later(self._timeout, self.terminate)
        try:
            statement = self._statements.get(text)
            if statement is None:
                statement = await self._prepare(text, keep=keep)
            rows: list[Any] = await statement.fetch(*values)
            return rows, len(rows) if rows else _rowcount(statement)
        except asyncpg.PostgresError:
            raise
        except BaseException:
            self.terminate()  # whatever the answer would have been, nobody will take it off the line
            raise
        finally:
            watch.cancel()

    async def run_many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        """Runs the statement once for each row of values."""
        watch = self._loop.call_later(self._timeout, self.terminate)
        try:
            statement = self._statements.get(text) or await self._prepare(text, keep=True)
            await statement.executemany(rows)
        except BaseException as error:
            if not isinstance(error, asyncpg.PostgresError):
                self.terminate()
            raise
        finally:
            watch.cancel()

    async def _prepare(self, text: str, *, keep: bool) -> PreparedStatement:
        statement: PreparedStatement = await self._connection.prepare(text)
        if keep:
            self._statements[text] = statement
        return statement

    def terminate(self) -> None:
        """Closes it at once; with its event loop it has ended already."""
        if not self._loop.is_closed():
            self._connection.terminate()


class Pool:
    """The connections of one event loop: opened when they are needed, at most `size` of them."""

    def __init__(self, url: URL, *, size: int, statement_timeout_ms: int) -> None:
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._settings = dict(engines.session_settings(statement_timeout_ms)) | {"application_name": engines.NAME}
        self._timeout = engines.client_timeout_seconds(statement_timeout_ms)
        self._slots = asyncio.Semaphore(size)
        self.in_use = 0
        self._idle: list[AsyncpgConnection] = []

    async def acquire(self) -> None:
        """Waits for the right to one connection. Raises SQLAlchemy's TimeoutError when none comes free in time."""
        if self._slots.locked():
            try:
                async with asyncio.timeout(engines.POOL_SECONDS):
                    await self._slots.acquire()
            except TimeoutError:
                raise PoolExhausted("No connection of the event loop came free in time") from None
        else:
            await self._slots.acquire()
        self.in_use += 1

    def release(self) -> None:
        """Gives that right back."""
        self.in_use -= 1
        self._slots.release()

    async def connection(self) -> AsyncpgConnection:
        """The connection that was used last, so that those beyond the need grow old; else a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable() and not connection.is_old():
                return connection
            connection.terminate()
        return await self._connect()

    def put_back(self, connection: AsyncpgConnection) -> None:
        """Keeps the connection for the next request."""
        self._idle.append(connection)

    async def ask(
        self, connection: AsyncpgConnection, text: str, values: Sequence[Any] = (), *, keep: bool = True
    ) -> tuple[list[Any], int]:
        """The rows, and how many were written. Raises SQLAlchemy's errors, as the other driver does through it."""
        try:
            return await connection.run(text, values, keep=keep)
        except _FAULTS as fault:
            raise self._error(connection, fault, text) from fault

    async def ask_many(self, connection: AsyncpgConnection, text: str, rows: Sequence[Sequence[Any]]) -> None:
        """Runs the statement once for each row of values. Raises SQLAlchemy's errors."""
        try:
            await connection.run_many(text, rows)
        except _FAULTS as fault:
            raise self._error(connection, fault, text) from fault

    def _error(self, connection: AsyncpgConnection, fault: Exception, text: str) -> Exception:
        if isinstance(fault, _ENDED) or not connection.is_usable():
            connection.terminate()
            self.close()  # what ended one has most likely ended all
            return _disconnected(fault, text)
        return _in_sqlalchemy(fault, text)

    async def _connect(self) -> AsyncpgConnection:
        try:
            connection = await asyncpg.connect(
                self._dsn, timeout=engines.CONNECT_SECONDS, server_settings=self._settings, statement_cache_size=0
            )
        except _FAULTS as fault:
            raise _disconnected(fault, "CONNECT") from fault
        return AsyncpgConnection(connection, self._timeout)

    def close(self) -> None:
        """Hangs up on all that is idle."""
        while self._idle:
            self._idle.pop().terminate()


def _rowcount(statement: PreparedStatement) -> int:
    """How many rows a statement wrote that gave none."""
    written = statement.get_statusmsg().rpartition(" ")[2]
    return int(written) if written.isdigit() else 0


def _in_sqlalchemy(fault: Exception, text: str) -> Exception:
    """An error of the server in SQLAlchemy's class; anything else is a mistake of ours, and stays what it is."""
    if not isinstance(fault, asyncpg.PostgresError):
        return fault
    kind = _BY_CLASS.get((fault.sqlstate or "")[:2], exc.DatabaseError)
    return kind(text, None, fault)


def _disconnected(fault: Exception, text: str) -> DBAPIError:
    cause = ConnectionError(f"{type(fault).__name__}: {fault}")
    return OperationalError(text, None, cause, connection_invalidated=True)
