"""Connection pool of asyncpg for one event loop; raises SQLAlchemy's exceptions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import asyncpg
from asyncpg import exceptions
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy import URL, exc
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from models.db import driver_errors, engines

# After these errors of the server a connection cannot be used any more, closed or not.
_DISCONNECTED = (
    exceptions.PostgresConnectionError,
    exceptions.AdminShutdownError,
    exceptions.CrashShutdownError,
    exceptions.CannotConnectNowError,
)
# Before these errors nothing was sent, or the server has responded: the connection is sound.
_SOUND = (asyncpg.PostgresError, asyncpg.DataError)
# SQLAlchemy's exception by SQLSTATE class, as for psycopg; any other is a DatabaseError.
_BY_CLASS: dict[str, type[DBAPIError]] = {
    **dict.fromkeys(("08", "28", "40", "53", "54", "55", "57", "58", "F0", "HV"), OperationalError),
    **dict.fromkeys(("21", "22"), exc.DataError),
    "23": exc.IntegrityError,
    "42": exc.ProgrammingError,
}


class AsyncpgConnection:
    """One connection with its prepared statements."""

    def __init__(self, connection: Any, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._statements: dict[str, PreparedStatement] = {}
        self._recycle_at = monotonic() + engines.RECYCLE_SECONDS

    def is_usable(self) -> bool:
        """Whether the connection and its event loop are open, as far as the client knows."""
        return not self._connection.is_closed() and not self._loop.is_closed()

    def is_old(self) -> bool:
        """Whether the connection is older than RECYCLE_SECONDS."""
        return monotonic() >= self._recycle_at

    async def run(self, text: str, values: Sequence[Any], *, keep: bool = True) -> tuple[list[Any], int]:
        """The rows, and the number of rows written; `keep`: keep the statement prepared. Raises asyncpg's errors.

        Terminates the connection if the server does not respond within the client timeout.
        """
        with self._terminating():
            statement = self._statements.get(text) or await self._prepare(text, keep=keep)
            rows: list[Any] = await statement.fetch(*values)
            return rows, len(rows) if rows else _rowcount(statement)

    async def run_many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        """Runs the statement once for each row of values."""
        with self._terminating():
            statement = self._statements.get(text) or await self._prepare(text, keep=True)
            await statement.executemany(rows)

    @contextmanager
    def _terminating(self) -> Iterator[None]:
        """Terminates the connection at the client timeout, and after any exception that leaves it in doubt."""
        timer = self._loop.call_later(self._timeout, self.terminate)
        try:
            yield
        except _SOUND:
            raise
        except BaseException:
            self.terminate()  # nobody would read the pending result
            raise
        finally:
            timer.cancel()

    async def _prepare(self, text: str, *, keep: bool) -> PreparedStatement:
        # Without a name, asyncpg sends the text anew with each execution, and PostgreSQL plans it anew.
        name = f"statement_{len(self._statements)}" if keep else None
        statement: PreparedStatement = await self._connection.prepare(text, name=name)
        if keep:
            self._statements[text] = statement
        return statement

    def terminate(self) -> None:
        """Closes the connection without waiting; no effect if its event loop is closed."""
        if not self._loop.is_closed():
            with suppress(Exception):  # a connection that cannot be closed is not used again either
                self._connection.terminate()


class Pool:
    """A pool of at most `size` connections for one event loop, opened on demand."""

    def __init__(self, url: URL, *, size: int, statement_timeout_ms: int) -> None:
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._settings = dict(engines.session_settings(statement_timeout_ms)) | {"application_name": engines.NAME}
        self._timeout = engines.client_timeout_seconds(statement_timeout_ms)
        self._slots = asyncio.Semaphore(size)
        self.in_use = 0
        self._idle: list[AsyncpgConnection] = []

    async def acquire(self) -> None:
        """Waits for a free slot, at most 2 s. Raises SQLAlchemy's TimeoutError."""
        if self._slots.locked():
            try:
                async with asyncio.timeout(engines.POOL_SECONDS):
                    await self._slots.acquire()
            except TimeoutError:
                raise PoolExhausted("No connection became free in time") from None
        else:
            await self._slots.acquire()
        self.in_use += 1

    def release(self) -> None:
        """Frees the slot."""
        self.in_use -= 1
        self._slots.release()

    async def connection(self) -> AsyncpgConnection:
        """The most recently used idle connection, so that surplus connections age; else a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable() and not connection.is_old():
                return connection
            connection.terminate()
        return await self._connect()

    def put_back(self, connection: AsyncpgConnection) -> None:
        """Returns the connection to the pool."""
        self._idle.append(connection)

    async def execute(
        self, connection: AsyncpgConnection, text: str, values: Sequence[Any] = (), *, keep: bool = True
    ) -> tuple[list[Any], int]:
        """The rows, and the number of rows written. Raises SQLAlchemy's exceptions."""
        try:
            return await connection.run(text, values, keep=keep)
        except Exception as error:
            raise self._error(connection, error, text) from error

    async def execute_many(self, connection: AsyncpgConnection, text: str, rows: Sequence[Sequence[Any]]) -> None:
        """Runs the statement once for each row of values. Raises SQLAlchemy's exceptions."""
        try:
            await connection.run_many(text, rows)
        except Exception as error:
            raise self._error(connection, error, text) from error

    def _error(self, connection: AsyncpgConnection, error: Exception, text: str) -> Exception:
        known = _sqlalchemy_error(error, text)
        if known is not None and connection.is_usable() and not isinstance(error, _DISCONNECTED):
            if driver_errors.is_stale_statement(known):
                self._discard(connection)
                known.connection_invalidated = True
            return known
        self._discard(connection)
        return driver_errors.disconnected(error, text)

    def _discard(self, connection: AsyncpgConnection) -> None:
        connection.terminate()
        self.close()  # the other connections are most likely of no use either

    async def _connect(self) -> AsyncpgConnection:
        try:
            connection = await asyncpg.connect(
                self._dsn, timeout=engines.CONNECT_SECONDS, server_settings=self._settings, statement_cache_size=0
            )
        except Exception as error:
            raise driver_errors.disconnected(error, "CONNECT") from error
        return AsyncpgConnection(connection, self._timeout)

    def close(self) -> None:
        """Closes the idle connections."""
        while self._idle:
            self._idle.pop().terminate()


def _rowcount(statement: PreparedStatement) -> int:
    """The number of rows written, from the status of a statement that returned no rows."""
    written = statement.get_statusmsg().rpartition(" ")[2]
    return int(written) if written.isdigit() else 0


def _sqlalchemy_error(error: Exception, text: str) -> DBAPIError | None:
    """SQLAlchemy's exception for an error of the server or a value that cannot be sent; None for any other."""
    if isinstance(error, asyncpg.DataError):
        return exc.DataError(text, None, error)
    if not isinstance(error, asyncpg.PostgresError):
        return None
    kind = _BY_CLASS.get((error.sqlstate or "")[:2], exc.DatabaseError)
    return kind(text, None, error)
