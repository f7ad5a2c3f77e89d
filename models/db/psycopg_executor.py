"""PostgreSQL for threads: commands, and a server behind a transaction pooler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic, sleep
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Connection, Engine, Executable, event
from sqlalchemy.pool import QueuePool

from models.db import driver_errors, engines, retry
from models.db.circuit_breaker import CircuitBreaker
from models.db.context import current_transaction

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
        event.listen(self._engine, "do_connect", _bounded(engines.client_timeout_seconds(statement_timeout_ms)))
        self._breaker = breaker

    @property
    def in_use(self) -> int:
        """How many connections threads work with."""
        pool: Any = self._engine.pool
        return int(pool.checkedout()) if isinstance(pool, QueuePool) else 0

    def rows(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        """Every row."""
        return self._alone(statement, binds, lambda result: result.all())

    def execute(self, statement: Executable, binds: dict[str, Any]) -> int:
        """How many rows the statement wrote."""
        return self._alone(statement, binds, lambda result: int(result.rowcount))

    def transaction(self, work: Callable[[], R]) -> R:
        """Runs the work as one transaction, and again when it conflicts with another."""
        with driver_errors.translate_errors(), self._breaker.guard():
            return retry.with_conflict_retry(lambda: self._committed(work), sleep)

    def close(self) -> None:
        """Closes every connection."""
        self._engine.dispose()

    def _alone(self, statement: Executable, binds: dict[str, Any], take: Callable[[Any], R]) -> R:
        def ask() -> R:
            with self._engine.connect() as connection:
                return take(connection.execute(statement, binds))

        with driver_errors.translate_errors(), self._breaker.guard():
            return retry.retry_policy(statement)(ask)

    def _committed(self, work: Callable[[], R]) -> R:
        with retry.with_reconnect(lambda: _begin(self._engine)) as connection:
            token = current_transaction.set(connection)
            try:
                result = work()
                connection.commit()
                return result
            finally:
                current_transaction.reset(token)


def _begin(engine: Engine) -> Connection:
    """A connection inside a transaction, which is rolled back unless it is committed before it is closed."""
    connection = engine.connect()
    try:
        connection.exec_driver_sql("BEGIN")
    except BaseException:
        connection.close()
        raise
    return connection


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that hangs up on a server that has gone silent, which no setting of the server can notice."""

    timeout = float("inf")

    def wait(self, gen: PQGen[R], interval: float = 0.1, timeout: float | None = None) -> R:
        deadline = monotonic() + self.timeout
        try:
            return super().wait(gen, interval, self.timeout if timeout is None else timeout)
        except psycopg.OperationalError:
            if monotonic() >= deadline:
                self.pgconn.finish()
            raise


def _bounded(timeout: float) -> Any:
    def open_bounded(_dialect: object, _record: object, words: Any, options: Any) -> BoundedConnection:
        connection = BoundedConnection.connect(*words, **options)
        connection.timeout = timeout
        return connection

    return open_bounded
