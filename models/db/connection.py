"""The open database: statements one by one, transactions, and whether it is ready."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, CursorResult, Engine, Executable, Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from models.db import driver_errors, engines, event_loop, replica, retry, schema_version
from models.db.circuit_breaker import CircuitBreaker
from models.db.event_loop import WouldBlock
from models.db.replica import Replica
from models.db.sqlite_writer import SQLiteWriter, WriteResult
from models.db.statements import FastPath, SQLiteReader
from models.exceptions import Unavailable

P = ParamSpec("P")
R = TypeVar("R")
Found = CursorResult[Any] | WriteResult

READY_SECONDS = 1.0
_REVISION = text("SELECT version_num FROM alembic_version")

# The one engine of the process, and what asks past it.
_engine: Engine | None = None
_quick: FastPath | None = None
_replica: Replica | None = None
_writer: SQLiteWriter | None = None
_current: ContextVar[Connection | SQLiteWriter | None] = ContextVar("current", default=None)
_silence = CircuitBreaker()
_probe = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ready")


def connect(
    url: str, *, pool_size: int = 10, statement_timeout_ms: int = engines.STATEMENT_MS, prepare: bool = True
) -> None:
    """Bind the process to a database, without opening a connection; raises ValueError for a URL of another kind.

    Without `prepare` nothing is kept in a session of PostgreSQL, so that a pooler may share sessions.
    """
    global _engine, _quick, _silence, _writer
    disconnect()
    _silence = CircuitBreaker()
    _engine = engines.create_pooled(
        url, pool_size=pool_size, statement_timeout_ms=statement_timeout_ms, prepare=prepare
    )
    if not is_postgres():
        _quick = SQLiteReader(engines.create_unpooled(url, wait_seconds=0))
        _writer = SQLiteWriter(engines.create_unpooled(url, wait_seconds=engines.BUSY_MS // 1000))
    elif prepare:
        _quick = _awaiting(_silence, url, pool_size, statement_timeout_ms)


def connect_replica(url: str, *, settle_seconds: float, pool_size: int = 10, prepare: bool = True) -> None:
    """Ask a copy of the connected PostgreSQL for what may be a moment old; raises ValueError as `connect` does.

    `settle_seconds`: how long after a write its user is told by the primary alone.
    """
    global _replica
    limit = replica.STATEMENT_MS
    quick = _awaiting(CircuitBreaker(), url, pool_size, limit) if prepare else None
    _replica = Replica(
        engines.create_pooled(url, pool_size=pool_size, statement_timeout_ms=limit, prepare=prepare),
        quick,
        settle_seconds,
    )


def _awaiting(silence: CircuitBreaker, url: str, size: int, statement_timeout_ms: int) -> FastPath | None:
    if not engines.is_asyncpg_compatible(url):
        return None
    from models.db.asyncpg_pool import AsyncpgExecutor  # its driver is loaded only where there is a PostgreSQL

    return AsyncpgExecutor(silence, url, size=size, statement_timeout_ms=statement_timeout_ms)


def get_replica() -> Replica | None:
    """The replica, if there is one: it has to be told who reads and who writes."""
    return _replica


def in_use() -> int:
    """How many connections somebody works with, in a thread or on the event loop."""
    pool = _engine.pool if _engine is not None else None
    threads = pool.checkedout() if isinstance(pool, QueuePool) else 0
    return threads + sum(part.in_use for part in (_quick, _writer) if part is not None)


def disconnect() -> None:
    """Close every connection; without effect when there is none."""
    global _engine, _quick, _replica, _writer
    for part in (_replica, _quick, _writer):
        if part is not None:
            part.close()
    if _engine is not None:
        _engine.dispose()
    _engine = _quick = _replica = _writer = None


def engine() -> Engine:
    """The engine of this process; raises RuntimeError before `connect`."""
    if _engine is None:
        raise RuntimeError("No database is connected: call models.db.connection.connect first.")
    return _engine


def fetch_one(statement: Executable, /, **binds: object) -> Row[Any] | None:
    """The first row or None; raises Unavailable."""
    rows = _fast_rows(statement, binds)
    return next(iter(rows), None) if rows is not None else _ask(statement, binds, lambda result: result.first())


def fetch_all(statement: Executable, /, **binds: object) -> Sequence[Row[Any]]:
    """Every row; raises Unavailable."""
    rows = _fast_rows(statement, binds)
    return rows if rows is not None else _ask(statement, binds, lambda result: result.all())


def execute(statement: Executable, /, **binds: object) -> int:
    """How many rows a statement wrote; raises Unavailable."""
    return _ask(statement, binds, lambda result: result.rowcount)


def execute_many(statement: Executable, rows: Sequence[Mapping[str, object]]) -> None:
    """Execute a statement once for every row of binds, inside the open transaction."""
    connection = _current.get()
    if connection is None:
        raise RuntimeError("Many rows are written inside a transaction only.")
    if rows:
        connection.execute(statement, rows)


def in_transaction() -> bool:
    """Whether this thread or task is inside a function decorated with `transaction`."""
    return _current.get() is not None


def is_postgres() -> bool:
    """Whether the connected database is PostgreSQL; otherwise it is SQLite."""
    return engine().dialect.name == "postgresql"


def transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function one write transaction: it commits on return, and any exception undoes all of it.

    Nested calls join. The whole function runs again when two transactions met, so it must have no effect outside
    the database. Raises Unavailable.
    """

    @wraps(function)
    def whole(*args: P.args, **kwargs: P.kwargs) -> R:
        if in_transaction():
            return function(*args, **kwargs)
        event_loop.require_thread()
        with driver_errors.translate_errors(), _guarded():
            return retry.with_conflict_retry(lambda: _committed(lambda: function(*args, **kwargs)))

    return whole


def ready() -> bool:
    """True when the database answers within a second and has the newest schema; raises Unavailable otherwise."""
    answer = _probe.submit(_check_revision)
    try:
        return answer.result(READY_SECONDS)
    except NoAnswer:
        answer.cancel()
        raise Unavailable("The database does not answer") from None


def _check_revision() -> bool:
    try:
        found = {row.version_num for row in fetch_all(_REVISION)}
    except DBAPIError as error:
        raise Unavailable("The database has no schema yet") from error
    if not schema_version.is_compatible(found):
        raise Unavailable("The database has another schema than this version of the service needs")
    return True


def run_on_loop(function: Callable[..., R], *args: Any, writes: bool) -> Awaitable[R]:
    """The function's result, awaited, if all it asks of the database are prepared statements outside a transaction.

    Reads of SQLite take microseconds, and PostgreSQL can be awaited. Raises MustWait for anything else: then a thread
    has to do it.
    """
    if _quick is None or (writes and not _quick.takes_writes):
        raise WouldBlock
    return _quick.run(function, *args)


def _fast_rows(statement: Executable, binds: dict[str, Any]) -> list[Any] | None:
    """The rows of a prepared statement; None when SQLAlchemy has to ask. The one place that says who is asked."""
    if in_transaction():
        return None
    rows = None if _replica is None else _replica.rows(statement, binds)
    return rows if rows is not None or _quick is None else _quick.rows(statement, binds)


def _ask(statement: Executable, binds: dict[str, object], take: Callable[[Found], R]) -> R:
    connection = _current.get()
    if connection is not None:
        return take(connection.execute(statement, binds))
    event_loop.require_thread()
    if statement.is_dml and not is_postgres():
        return _ask_in_turn(statement, binds, take)
    with driver_errors.translate_errors(), _guarded():
        return retry.retry_policy(statement)(lambda: _alone(statement, binds, take))


def _guarded() -> AbstractContextManager[None]:
    """Waiting for PostgreSQL at all; reads of SQLite wait for nothing, and its writes are minded where they begin."""
    return _silence.guard() if is_postgres() else nullcontext()


def _alone(statement: Executable, binds: dict[str, object], take: Callable[[Found], R]) -> R:
    with engine().connect() as connection:
        return take(connection.execute(statement, binds))


@transaction
def _ask_in_turn(statement: Executable, binds: dict[str, object], take: Callable[[Found], R]) -> R:
    return _ask(statement, binds, take)


def _committed(work: Callable[[], R]) -> R:
    with retry.begin_postgres(engine()) if _writer is None else retry.begin_sqlite(_writer, _silence) as connection:
        token = _current.set(connection)
        try:
            result = work()
            connection.commit()
            return result
        finally:
            _current.reset(token)
