"""The Database object: which driver runs a statement, on the event loop or in a thread.

                          GET operations           other operations
    SQLite                event loop, sqlite3      one of the threads, one connection
    PostgreSQL            event loop, asyncpg      event loop, asyncpg
    PostgreSQL, shared    a thread, psycopg        a thread, psycopg
    commands              calling thread           calling thread (sqlite3, psycopg)

The server runs a handler through `Database.call`, which chooses loop or thread once, before the handler starts: no
handler is restarted elsewhere. On PostgreSQL the handler is a plain function in a greenlet, so the event loop is not
blocked. PostgreSQL is "shared" behind a transaction pooler (`prepared_statements=False`), or with a URL option that
only libpq supports.

A query (models.db.connection) finds its executor through a context variable, which `call` sets for a handler and
`with database:` for a command, so a process can use several databases. What may not happen: a write of SQLite on the
event loop, which it would block, and a query outside of a database; both raise RuntimeError. Decisions 3 and 28.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Self, TypeVar

from sqlalchemy import Select, column, select, table
from sqlalchemy.exc import DBAPIError

from models.db import engines, schema_version
from models.db.circuit_breaker import CircuitBreaker
from models.db.concurrency_limit import ConcurrencyLimit
from models.db.context import Executor, LoopExecutor, current_database, current_executor, current_lease
from models.db.lazy_executor import LazyExecutor
from models.db.replica import Replica
from models.exceptions import Unavailable

R = TypeVar("R")
READY_SECONDS = 1.0
# Connections and threads reserved for readiness and key usage, which must not wait for requests.
RESERVED = 2
USER_WRITES = 2  # of one user in the threads of SQLite: the one that runs, and the next
_REVISIONS: Select[Any] = select(column("version_num")).select_from(table("alembic_version"))


class Database:
    """An open database; it connects at the first statement. Raises ValueError for any other kind of URL.

    `url` is `sqlite:///FILE`, `sqlite://` (in memory) or `postgresql://HOST/NAME`. `pool_size` bounds connections and
    threads. Without `prepared_statements`, sessions of PostgreSQL keep no state, so that a transaction pooler can share
    them. `replica_url` is a read replica; after a write, its user reads from the primary for `replica_lag_seconds`.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        statement_timeout_ms: int = engines.STATEMENT_MS,
        prepared_statements: bool = True,
        replica_url: str = "",
        replica_lag_seconds: float = 0.0,
    ) -> None:
        self.url = engines.unique_url(url)
        self.is_postgres = engines.is_postgres(self.url)
        self._prepared_statements = prepared_statements
        breaker = CircuitBreaker()
        self._blocking = self._thread_executor(self.url, breaker, pool_size, statement_timeout_ms)
        self._on_loop = self._loop_executor(self.url, breaker, pool_size, statement_timeout_ms)
        self._reserved = self._loop_executor(self.url, breaker, RESERVED, statement_timeout_ms)
        self._threads = ThreadPoolExecutor(pool_size, "worker")
        self._reserved_threads = ThreadPoolExecutor(RESERVED, "reserved")
        self._write_limit = ConcurrencyLimit(USER_WRITES, engines.BUSY_MS / 1000)
        self.replica: Replica | None = None
        self._is_closed = False
        if replica_url:
            self._read_from(replica_url, replica_lag_seconds, pool_size)

    def _read_from(self, url: str, lag_seconds: float, size: int) -> None:
        breaker, limit_ms = CircuitBreaker(), engines.REPLICA_STATEMENT_MS
        on_loop = self._loop_executor(url, breaker, size, limit_ms)
        if self._on_loop is not None and on_loop is not None:
            self._on_loop = self.replica = Replica(self._on_loop, on_loop, lag_seconds)
        else:
            in_threads = self._thread_executor(url, breaker, size, limit_ms)
            self._on_loop = None
            self._blocking = self.replica = Replica(self._blocking, in_threads, lag_seconds)

    def _thread_executor(self, url: str, breaker: CircuitBreaker, size: int, limit_ms: int) -> Executor:
        if not self.is_postgres:
            from models.db.sqlite import SQLiteExecutor

            return SQLiteExecutor(url, breaker, pool_size=size)

        def psycopg() -> Executor:
            from models.db.psycopg_executor import PsycopgExecutor

            prepares = self._prepared_statements
            return PsycopgExecutor(
                url, breaker, pool_size=size, statement_timeout_ms=limit_ms, prepared_statements=prepares
            )

        return LazyExecutor(psycopg)

    def _loop_executor(self, url: str, breaker: CircuitBreaker, size: int, limit_ms: int) -> LoopExecutor | None:
        if not self.is_postgres or not self._prepared_statements or not engines.is_asyncpg_compatible(url):
            return None
        from models.db.asyncpg_executor import AsyncpgExecutor

        return AsyncpgExecutor(url, breaker, pool_size=size, statement_timeout_ms=limit_ms)

    async def call(
        self, function: Callable[..., R], *args: Any, writes: bool, reserved: bool = False, user_id: str = ""
    ) -> R:
        """The result of a plain function that queries this database, and may write only if `writes`.

        `reserved`: use the reserved connections and threads, not those of requests. `user_id`: for whom it writes.
        Raises Unavailable once the database is closed.
        """
        if self._is_closed:
            raise Unavailable("The database is closed")
        on_loop = self._reserved if reserved else self._on_loop
        if on_loop is not None:
            return await on_loop.run(self._run, function, *args)
        if not self.is_postgres and not writes:
            return self.read_on_loop(function, *args)
        with self.use():
            work = partial(contextvars.copy_context().run, self._run, function, *args)
        threads = self._reserved_threads if reserved else self._threads
        if self.is_postgres or not user_id:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        slot = await self._write_limit.acquire(user_id)
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        finally:
            slot.release()

    def read_on_loop(self, function: Callable[..., R], *args: Any) -> R:
        """Runs a read of SQLite on the event loop: it takes microseconds and never waits for a lock."""
        token = current_executor.set(self._blocking.read_only)  # type: ignore[attr-defined] # of SQLiteExecutor
        try:
            return self._run(function, *args)
        finally:
            current_executor.reset(token)

    def _run(self, function: Callable[..., R], *args: Any) -> R:
        """The function's result. A refused statement is no bug if schema or caller have changed: then they raise."""
        try:
            return function(*args)
        except DBAPIError:
            self.require_schema()
            lease = current_lease.get()
            if lease is not None:
                lease.renew()
            raise

    @property
    def in_use(self) -> int:
        """The number of connections in use, by threads and by the event loop."""
        return sum(part.in_use for part in (self._blocking, self._on_loop, self._reserved) if part is not None)

    def require_schema(self) -> None:
        """Raises Unavailable unless this version of the service works with the database's schema."""
        try:
            revisions = {row.version_num for row in current_executor.get().rows(_REVISIONS, {})}
        except Unavailable:
            raise
        except Exception as error:
            raise Unavailable("The database has no schema yet") from error
        if not schema_version.is_compatible(revisions):
            raise Unavailable("The database has another schema than this version of the service needs")

    async def require_ready(self) -> None:
        """Raises Unavailable unless the database responds within 1 s and has a compatible schema."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self.call(self.require_schema, writes=True, reserved=True)
        except TimeoutError:
            raise Unavailable("The database does not answer") from None

    @contextmanager
    def use(self) -> Iterator[Self]:
        """Makes this the current database inside the context."""
        tokens = current_database.set(self), current_executor.set(self._blocking)
        try:
            yield self
        finally:
            current_database.reset(tokens[0])
            current_executor.reset(tokens[1])

    def __enter__(self) -> Self:
        self._used = self.use()
        return self._used.__enter__()

    def __exit__(self, *failure: object) -> None:
        self._used.__exit__(None, None, None)
        self.close()

    @property
    def has_loop_driver(self) -> bool:
        """Whether handlers run on a driver of the event loop."""
        return self._on_loop is not None

    def close_loop_connections(self) -> None:
        """Closes the connections of the event loop, which must end with it."""
        for part in (self._reserved, self._on_loop):
            if part is not None:
                part.close()

    def close(self) -> None:
        """Closes every connection and thread."""
        self._is_closed = True
        self.close_loop_connections()
        for threads in (self._threads, self._reserved_threads):
            # A connection to SQLite that a thread still uses must not be closed: that crashes the process. A thread
            # that waits for a frozen PostgreSQL would never end.
            threads.shutdown(wait=not self.is_postgres, cancel_futures=True)
        self._blocking.close()
