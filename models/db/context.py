"""The context variables of the database layer: what runs statements here, and the open transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import Executable, Row

if TYPE_CHECKING:
    from models.db.database import Database

R = TypeVar("R")
Binds = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Result(Protocol):
    """What a statement gave: SQLAlchemy's result, or ours of a prepared statement."""

    @property
    def rowcount(self) -> int: ...

    def first(self) -> Row[Any] | None: ...

    def all(self) -> Sequence[Row[Any]]: ...


class WriteResult(NamedTuple):
    """The rows of a prepared statement and how many rows it wrote; answers like SQLAlchemy's result."""

    rows: list[Any]
    rowcount: int

    def first(self) -> Row[Any] | None:
        """The first row, or None."""
        return self.rows[0] if self.rows else None

    def all(self) -> list[Any]:
        """Every row."""
        return self.rows


class Transaction(Protocol):
    """An open transaction; SQLAlchemy's Connection is one."""

    def execute(self, statement: Executable, binds: Any, /) -> Result:
        """Runs a statement; with a sequence of binds, once for each."""


class Executor(Protocol):
    """Runs statements with one driver. Each method raises Unavailable when the database is away."""

    is_postgres: bool

    @property
    def in_use(self) -> int:
        """How many connections are in use."""

    def rows(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        """Every row of a statement outside a transaction."""

    def execute(self, statement: Executable, binds: dict[str, Any]) -> int:
        """How many rows the statement wrote, which it commits."""

    def transaction(self, work: Callable[[], R]) -> R:
        """Runs the work as one transaction, and again when it conflicts with another."""

    def close(self) -> None:
        """Closes every connection."""


class LoopExecutor(Executor, Protocol):
    """An executor whose functions run on the event loop."""

    async def run(self, function: Callable[..., R], *args: Any) -> R:
        """The result of a plain function that queries the database."""


current_database: ContextVar[Database] = ContextVar("current_database")
current_executor: ContextVar[Executor] = ContextVar("current_executor")
current_transaction: ContextVar[Transaction | None] = ContextVar("current_transaction", default=None)
