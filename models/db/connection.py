"""Queries on the current database: single statements and transactions.

The current database is that of the request, or of `with Database(url):` around a command (see models.db.database).
Inside a function decorated with `transaction`, every statement belongs to that transaction. Decision 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Executable, Row

from models.db.context import Executor, current_executor, current_transaction, run_statement

P = ParamSpec("P")
R = TypeVar("R")


def fetch_one(statement: Executable, /, **binds: object) -> Row[Any] | None:
    """The first row, or None. Raises Unavailable."""
    rows = _rows(statement, binds)
    return rows[0] if rows else None


def fetch_all(statement: Executable, /, **binds: object) -> Sequence[Row[Any]]:
    """All rows. Raises Unavailable."""
    return _rows(statement, binds)


def _rows(statement: Executable, binds: dict[str, object]) -> Sequence[Row[Any]]:
    transaction = current_transaction.get()
    if transaction is not None:
        return transaction.execute(statement, binds).all()
    return _executor().rows(statement, binds)


def execute(statement: Executable, /, **binds: object) -> int:
    """The number of rows that a statement wrote. Raises Unavailable."""
    transaction = current_transaction.get()
    if transaction is not None:
        return transaction.execute(statement, binds).rowcount
    return _executor().execute(statement, binds)


def execute_many(statement: Executable, rows: Sequence[Mapping[str, object]]) -> None:
    """Executes a statement once for each row of binds, inside the open transaction. Raises RuntimeError without one."""
    if rows:
        run_statement(statement, rows)


def in_transaction() -> bool:
    """Whether this thread or task is inside a function decorated with `transaction`."""
    return current_transaction.get() is not None


def is_postgres() -> bool:
    """Whether the current database is PostgreSQL; otherwise it is SQLite."""
    return _executor().is_postgres


def transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Decorates a function that is one write transaction: it commits on return and rolls back on any exception.

    Nested calls join the outer transaction. The function runs again when two transactions conflict, so it must have no
    effects outside the database. Raises Unavailable.
    """

    @wraps(function)
    def in_one_transaction(*args: P.args, **kwargs: P.kwargs) -> R:
        if in_transaction():
            return function(*args, **kwargs)
        return _executor().transaction(lambda: function(*args, **kwargs))

    return in_one_transaction


def _executor() -> Executor:
    try:
        return current_executor.get()
    except LookupError:
        raise RuntimeError("There is no current database: write `with Database(url):` around the query.") from None
