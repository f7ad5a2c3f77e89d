"""PostgreSQL asked by the event loop: prepared statements on a bounded number of connections, and no thread waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, TypeVar

import asyncpg
import psycopg
from asyncpg import exceptions
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy import URL, Executable
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.util.concurrency import await_, greenlet_spawn

from models.db import driver_errors, engines, event_loop, retry
from models.db.circuit_breaker import CircuitBreaker
from models.db.statements import Prepared, StatementCache

R = TypeVar("R")

# After these a connection is of no more use, whether or not it has been closed already.
_ENDED = (OSError, exceptions.PostgresConnectionError, exceptions.AdminShutdownError, exceptions.CrashShutdownError,
          exceptions.CannotConnectNowError, exceptions.InvalidCachedStatementError,
          exceptions.InternalClientError)  # fmt: skip
_FAULTS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, exceptions.InternalClientError)


class AsyncpgConnection:
    """One connection, with the statements that it has prepared."""

    def __init__(self, connection: Any, patience: float) -> None:
        self._connection = connection
        self._timeout = patience
        self._loop = asyncio.get_running_loop()
        self._statements: dict[str, PreparedStatement] = {}
        self._recycle_at = monotonic() + engines.RECYCLE_SECONDS

    def is_usable(self) -> bool:
        """Whether it may be asked: still open as far as is known, and not too old."""
        return not self._connection.is_closed() and monotonic() < self._recycle_at and not self._loop.is_closed()

    async def rows(self, text: str, values: Sequence[Any]) -> list[Any]:
        """What the statement gives. Hangs up on a server that has gone silent; raises what the driver raises."""
        watch = self._loop.call_later(self._timeout, self.terminate)
        try:
            statement = self._statements.get(text)
            if statement is None:
                statement = self._statements[text] = await self._connection.prepare(text)
            found: list[Any] = await statement.fetch(*values)
            return found
        except asyncpg.PostgresError:
            raise
        except BaseException:
            self.terminate()  # whatever the answer would have been, nobody will take it off the line
            raise
        finally:
            watch.cancel()

    def terminate(self) -> None:
        """Close it without a word; with its event loop it has ended already."""
        if not self._loop.is_closed():
            self._connection.terminate()


class AsyncpgExecutor:
    """Lets plain functions ask PostgreSQL while the event loop goes on: each runs in a greenlet that can be left."""

    takes_writes = True

    def __init__(self, silence: CircuitBreaker, url: str, *, size: int, statement_timeout_ms: int) -> None:
        self._cache = StatementCache(dialect())  # type: ignore[no-untyped-call] # SQLAlchemy's constructor has no annotations
        self._pool = Pool(silence, engines.parse_url(url), size=size, statement_timeout_ms=statement_timeout_ms)

    @property
    def in_use(self) -> int:
        """How many connections somebody works with."""
        return self._pool.in_use

    async def run(self, function: Callable[..., R], *args: Any) -> R:
        """The function's result; whenever it asks the database, other requests have their turn."""
        token = event_loop.current_loop_call.set(event_loop.LoopCall())
        try:
            return await greenlet_spawn(function, *args)
        finally:
            event_loop.current_loop_call.reset(token)

    def rows(self, statement: Executable, binds: dict[str, Any]) -> list[Any] | None:
        """Every row; None in a thread, and for what is not prepared. Raises Unavailable."""
        running, prepared = event_loop.current_loop_call.get(), self._cache.get(statement)
        if running is None or prepared is None:
            return None
        running.wrote = running.wrote or statement.is_dml
        with driver_errors.translate_errors():
            return retry.retry_policy(statement)(lambda: await_(self._pool.rows(prepared, binds)))

    def close(self) -> None:
        """Hang up on PostgreSQL."""
        self._pool.close()


class Pool:
    """The connections of one event loop: opened when they are needed, at most `size` of them."""

    def __init__(self, silence: CircuitBreaker, url: URL, *, size: int, statement_timeout_ms: int) -> None:
        self._breaker = silence
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._settings = dict(engines.session_settings(statement_timeout_ms)) | {"application_name": engines.NAME}
        self._timeout = statement_timeout_ms / 1000 + engines.CLIENT_TIMEOUT_MARGIN_SECONDS
        self._slots = asyncio.Semaphore(size)
        self.in_use = 0
        self._idle: list[AsyncpgConnection] = []

    async def rows(self, prepared: Prepared, binds: dict[str, Any]) -> list[Any]:
        """Every row. Raises SQLAlchemy's errors, as the other driver does through it."""
        await self._acquire()
        self.in_use += 1
        try:
            # Only now: while this request was waiting for its turn, another may have waited in vain.
            with self._breaker.guard():
                return prepared.to_rows(await self._query(prepared.text, prepared.values(binds)))
        finally:
            self.in_use -= 1
            self._slots.release()

    async def _query(self, text: str, values: Sequence[Any]) -> list[Any]:
        session = self._idle_connection() or await self._connect()
        try:
            return await session.rows(text, values)
        except _FAULTS as fault:
            if _is_end(fault, session):
                session.terminate()
                self.close()  # what ended one has most likely ended all
                raise _away(fault, text) from fault
            raise _told(fault, text) from fault
        finally:
            self._idle.append(session)

    async def _acquire(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout(engines.POOL_SECONDS):
                await self._slots.acquire()
        except TimeoutError:
            raise PoolExhausted("No connection of the event loop came free in time") from None

    def _idle_connection(self) -> AsyncpgConnection | None:
        """The connection that was used last, so that those beyond the need grow old."""
        while self._idle:
            session = self._idle.pop()
            if session.is_usable():
                return session
            session.terminate()
        return None

    async def _connect(self) -> AsyncpgConnection:
        try:
            connection = await asyncpg.connect(
                self._dsn, timeout=engines.CONNECT_SECONDS, server_settings=self._settings, statement_cache_size=0
            )
        except _FAULTS as fault:
            raise _away(fault, "CONNECT") from fault
        return AsyncpgConnection(connection, self._timeout)

    def close(self) -> None:
        """Hang up on all that is idle."""
        while self._idle:
            self._idle.pop().terminate()


def _is_end(fault: Exception, session: AsyncpgConnection) -> bool:
    return isinstance(fault, _ENDED) or not session.is_usable()


def _told(fault: Exception, text: str) -> Exception:
    """A refusal of the server in SQLAlchemy's words; anything else is a mistake of ours, and stays what it is."""
    return _kind(fault.sqlstate)(text, None, fault) if isinstance(fault, asyncpg.PostgresError) else fault


def _away(fault: Exception, text: str) -> DBAPIError:
    cause = ConnectionError(f"{type(fault).__name__}: {fault}")
    return OperationalError(text, None, cause, connection_invalidated=True)


def _kind(state: str | None) -> Callable[..., DBAPIError]:
    """The class that the other driver has for a state of PostgreSQL."""
    try:
        operational = issubclass(psycopg.errors.lookup(state or ""), psycopg.OperationalError)
    except KeyError:
        operational = False
    return OperationalError if operational else DBAPIError
