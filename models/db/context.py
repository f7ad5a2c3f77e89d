"""Context variables of the database layer: current database, executor and transaction, and their protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import Executable, Row

R = TypeVar("R")
Binds = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Result(Protocol):
    """The result of a statement: SQLAlchemy's, or WriteResult for a prepared statement."""

    @property
    def rowcount(self) -> int: ...

    def first(self) -> Row[Any] | None: ...

    def all(self) -> Sequence[Row[Any]]: ...


class WriteResult(NamedTuple):
    """The rows of a prepared statement and the number of rows written; has the interface of SQLAlchemy's result."""

    rows: list[Any]
    rowcount: int

    def first(self) -> Row[Any] | None:
        """The first row, or None."""
        return self.rows[0] if self.rows else None

    def all(self) -> list[Any]:
        """All rows."""
        return self.rows


class Transaction(Protocol):
    """An open transaction; SQLAlchemy's Connection is one."""

    def execute(self, statement: Executable, binds: Any, /) -> Result:
        """Runs a statement; with a sequence of binds, once for each."""


class Executor(Protocol):
    """Runs statements with one driver. Each method raises Unavailable if the database is unavailable."""

    is_postgres: bool

    @property
    def in_use(self) -> int:
        """The number of connections in use."""

    def rows(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        """All rows of a statement outside a transaction."""

    def execute(self, statement: Executable, binds: dict[str, Any]) -> int:
        """Runs and commits a statement; returns the number of rows written."""

    def transaction(self, work: Callable[[], R]) -> R:
        """Runs `work` as one transaction, again if it conflicts with another."""

    def close(self) -> None:
        """Closes every connection."""


class LoopExecutor(Executor, Protocol):
    """An executor whose functions run on the event loop."""

    async def run(self, function: Callable[..., R], *args: Any) -> R:
        """The result of a plain function that queries the database."""


class OpenDatabase(Protocol):
    """The part of Database that an operation uses itself."""

    async def require_ready(self) -> None:
        """Raises Unavailable unless the database responds and has the right schema."""

    def close_loop_connections(self) -> None:
        """Closes the connections of the event loop."""


class Lease(Protocol):
    """The right of a request to write, which its credential had when it was checked.."""

    def is_expired(self) -> bool:
        """Whether the credential must be checked again before a write takes effect."""

    def renew(self) -> None:
        """Checks the credential on the current database. Raises an exception if the right has changed."""


class LeaseExpired(Exception):
    """The lease expired before a statement outside a transaction was sent: run it in one, which renews the lease."""


current_database: ContextVar[OpenDatabase] = ContextVar("current_database")
current_executor: ContextVar[Executor] = ContextVar("current_executor")
current_transaction: ContextVar[Transaction | None] = ContextVar("current_transaction", default=None)
# None outside requests, and in requests that do not write.
current_lease: ContextVar[Lease | None] = ContextVar("current_lease", default=None)


def run_in_transaction(transaction: Transaction, work: Callable[[], R], commit: Callable[[], object]) -> R:
    """The result of `work`, whose statements run in the transaction; commits unless `work` or the lease raises."""
    token = current_transaction.set(transaction)
    try:
        result = work()
        lease = current_lease.get()
        if lease is not None and lease.is_expired():
            lease.renew()
        commit()
        return result
    finally:
        current_transaction.reset(token)


def require_lease(statement: Executable) -> None:
    """Raises LeaseExpired before a write outside a transaction whose lease has expired."""
    if statement.is_dml:
        lease = current_lease.get()
        if lease is not None and lease.is_expired():
            raise LeaseExpired


def run_statement(statement: Executable, binds: Any) -> Result:
    """Runs a statement in the open transaction. Raises RuntimeError without one."""
    transaction = current_transaction.get()
    if transaction is None:
        raise RuntimeError("There is no open transaction.")
    return transaction.execute(statement, binds)
