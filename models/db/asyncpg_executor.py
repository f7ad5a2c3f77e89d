"""Executor for PostgreSQL on the event loop: plain functions in greenlets, statements on asyncpg."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util.concurrency import await_, greenlet_spawn

from models.db import driver_errors, engines, retry
from models.db.asyncpg_pool import AsyncpgConnection, Pool
from models.db.circuit_breaker import CircuitBreaker
from models.db.context import (
    Binds,
    LeaseExpired,
    Result,
    WriteResult,
    current_executor,
    require_lease,
    run_in_transaction,
    run_statement,
)
from models.db.statements import StatementCache, expand

R = TypeVar("R")


class AsyncpgExecutor:
    """Runs plain functions in greenlets: while a query waits for PostgreSQL, the event loop serves other requests."""

    is_postgres = True

    def __init__(self, url: str, breaker: CircuitBreaker, *, pool_size: int, statement_timeout_ms: int) -> None:
        self._dialect = dialect()  # type: ignore[no-untyped-call] # SQLAlchemy's constructor has no annotations
        self._cache = StatementCache(self._dialect)
        self._breaker = breaker
        self._pool = Pool(engines.parse_url(url), size=pool_size, statement_timeout_ms=statement_timeout_ms)

    @property
    def in_use(self) -> int:
        """The number of connections in use."""
        return self._pool.in_use

    async def run(self, function: Callable[..., R], *args: Any) -> R:
        """The function's result. The event loop runs other tasks while a query waits."""
        token = current_executor.set(self)
        try:
            return await greenlet_spawn(function, *args)
        finally:
            current_executor.reset(token)

    def rows(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        """All rows. Raises Unavailable."""
        return self._run_single(statement, binds).all()

    def execute(self, statement: Executable, binds: dict[str, Any]) -> int:
        """The number of rows written. Raises Unavailable."""
        return self._run_single(statement, binds).rowcount

    def transaction(self, work: Callable[[], R]) -> R:
        """Runs `work` as one transaction, again if it conflicts with another. Raises Unavailable."""
        with driver_errors.translate_errors():
            return retry.with_conflict_retry(
                lambda: self._run_transaction(work), lambda seconds: await_(asyncio.sleep(seconds))
            )

    def close(self) -> None:
        """Closes the idle connections."""
        self._pool.close()

    def _run_single(self, statement: Executable, binds: dict[str, Any]) -> Result:
        try:
            with driver_errors.translate_errors():
                return retry.retry_policy(statement)(lambda: await_(self._on_connection(statement, binds)))
        except LeaseExpired:
            return self.transaction(lambda: run_statement(statement, binds))

    async def _on_connection(self, statement: Executable, binds: dict[str, Any]) -> WriteResult:
        await self._pool.acquire()
        try:
            # Both are checked after the wait for a connection.
            require_lease(statement)
            with self._breaker.guard():
                connection = await self._pool.connection()
                try:
                    return await self.run_statement(connection, statement, binds)
                finally:
                    self._pool.put_back(connection)
        finally:
            self._pool.release()

    def _run_transaction(self, work: Callable[[], R]) -> R:
        await_(self._pool.acquire())
        try:
            with self._breaker.guard():
                connection = retry.with_reconnect(lambda: await_(self._begin()))
                try:
                    return self._in_transaction(connection, work)
                finally:
                    self._pool.put_back(connection)
        finally:
            self._pool.release()

    async def _begin(self) -> AsyncpgConnection:
        connection = await self._pool.connection()
        try:
            await self._pool.execute(connection, "BEGIN")
        except BaseException:
            connection.terminate()
            raise
        return connection

    def _in_transaction(self, connection: AsyncpgConnection, work: Callable[[], R]) -> R:
        transaction = AsyncpgTransaction(self, connection)
        try:
            return run_in_transaction(transaction, work, lambda: await_(self._pool.execute(connection, "COMMIT")))
        except BaseException:
            await_(self._roll_back(connection))
            raise

    async def _roll_back(self, connection: AsyncpgConnection) -> None:
        try:
            if connection.is_usable():
                await self._pool.execute(connection, "ROLLBACK")
        except DBAPIError:
            connection.terminate()  # PostgreSQL rolls back
        except BaseException:
            connection.terminate()
            raise

    async def run_statement(self, connection: AsyncpgConnection, statement: Executable, binds: Any) -> WriteResult:
        """Runs a statement on that connection; with a sequence of binds, once for each."""
        prepared = self._cache.get(statement)
        if not isinstance(binds, dict):
            if prepared is None:
                raise TypeError("A statement with an IN list cannot be executed with several sets of binds.")
            await self._pool.execute_many(connection, prepared.text, [prepared.values(dict(row)) for row in binds])
            return WriteResult([], len(binds))
        if prepared is None:
            prepared, values = expand(statement, self._dialect, binds)
            rows, rowcount = await self._pool.execute(connection, prepared.text, values, keep=False)
        else:
            rows, rowcount = await self._pool.execute(connection, prepared.text, prepared.values(binds))
        return WriteResult(prepared.to_rows(rows), rowcount)


class AsyncpgTransaction:
    """The open transaction of a function that runs in a greenlet."""

    __slots__ = ("_connection", "_executor")

    def __init__(self, executor: AsyncpgExecutor, connection: AsyncpgConnection) -> None:
        self._executor, self._connection = executor, connection

    def execute(self, statement: Executable, binds: Binds) -> WriteResult:
        """Runs a statement; with a sequence of binds, once for each."""
        return await_(self._executor.run_statement(self._connection, statement, binds))
