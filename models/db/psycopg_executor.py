"""Executor for PostgreSQL in threads, on psycopg: for commands, and for a server behind a transaction pooler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic, sleep
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.pool import QueuePool

from models.db import driver_errors, engines, retry
from models.db.circuit_breaker import CircuitBreaker
from models.db.context import LeaseExpired, require_lease, run_in_transaction, run_statement

R = TypeVar("R")


class PsycopgExecutor:
    """Runs statements on SQLAlchemy's pool; the calling thread waits."""

    is_postgres = True

    def __init__(
        self, url: str, breaker: CircuitBreaker, *, pool_size: int, statement_timeout_ms: int, prepared_statements: bool
    ) -> None:
        self._engine = engines.create_pooled(
            url, pool_size=pool_size, statement_timeout_ms=statement_timeout_ms, prepare=prepared_statements
        )
        engines.connect_with(self._engine, _connect_bounded(engines.client_timeout_seconds(statement_timeout_ms)))
        self._breaker = breaker

    @property
    def in_use(self) -> int:
        """The number of connections in use by threads."""
        pool: Any = self._engine.pool
        return int(pool.checkedout()) if isinstance(pool, QueuePool) else 0

    def rows(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        """All rows. Raises Unavailable."""
        return self._run_single(statement, binds, lambda result: result.all())

    def execute(self, statement: Executable, binds: dict[str, Any]) -> int:
        """The number of rows written. Raises Unavailable."""
        return self._run_single(statement, binds, lambda result: int(result.rowcount))

    def transaction(self, work: Callable[[], R]) -> R:
        """Runs `work` as one transaction, again if it conflicts with another. Raises Unavailable."""
        with driver_errors.translate_errors(), self._breaker.guard():
            return retry.with_conflict_retry(lambda: self._run_transaction(work), sleep)

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    def _run_single(self, statement: Executable, binds: dict[str, Any], take: Callable[[Any], R]) -> R:
        def run() -> R:
            with engines.giving_back(self._engine.connect()) as connection:
                require_lease(statement)
                return take(connection.execute(statement, binds))

        try:
            with driver_errors.translate_errors(), self._breaker.guard():
                return retry.retry_policy(statement)(run)
        except LeaseExpired:
            return self.transaction(lambda: take(run_statement(statement, binds)))

    def _run_transaction(self, work: Callable[[], R]) -> R:
        with engines.giving_back(retry.with_reconnect(lambda: _begin(self._engine))) as connection:
            try:
                return run_in_transaction(connection, work, connection.commit)
            except BaseException:
                _roll_back(connection)
                raise


def _roll_back(connection: Connection) -> None:
    """Rolls back, or closes the connection: after a failed commit SQLAlchemy does not roll back any more."""
    with suppress(Exception):
        if connection.in_transaction():
            connection.rollback()
            return
    connection.invalidate()


def _begin(engine: Engine) -> Connection:
    """A connection with an open transaction, which is rolled back on close unless it is committed."""
    connection = engine.connect()
    try:
        connection.exec_driver_sql("BEGIN")
    except BaseException:
        connection.invalidate()
        connection.close()
        raise
    return connection


class BoundedConnection(psycopg.Connection[Any]):
    """A connection with a client-side timeout, in seconds: it closes if the server does not respond in time."""

    timeout = float("inf")

    def wait(self, gen: PQGen[R], interval: float = 0.1, timeout: float | None = None) -> R:
        deadline = monotonic() + self.timeout
        try:
            return super().wait(gen, interval, self.timeout if timeout is None else timeout)
        except psycopg.OperationalError:
            if monotonic() >= deadline:
                self.pgconn.finish()
            raise


def _connect_bounded(timeout: float) -> Callable[..., BoundedConnection]:
    def connect(*args: Any, **options: Any) -> BoundedConnection:
        connection = BoundedConnection.connect(*args, **options)
        connection.timeout = timeout
        return connection

    return connect
