"""Queries on the current database: one statement at a time, or several in a transaction.

The database is the one of the request, or of `with Database(url):` around a command (models.db.database says how it
is found). Inside a function decorated with `transaction` every statement belongs to that transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Executable, Row

from models.db.context import Executor, current_executor, current_transaction

P = ParamSpec("P")
R = TypeVar("R")


def fetch_one(statement: Executable, /, **binds: object) -> Row[Any] | None:
    """The first row, or None; raises Unavailable."""
    return next(iter(fetch_all(statement, **binds)), None)


def fetch_all(statement: Executable, /, **binds: object) -> Sequence[Row[Any]]:
    """Every row; raises Unavailable."""
    transaction = current_transaction.get()
    if transaction is not None:
        return transaction.execute(statement, binds).all()
    return _executor().rows(statement, binds)


def execute(statement: Executable, /, **binds: object) -> int:
    """How many rows a statement wrote; raises Unavailable."""
    transaction = current_transaction.get()
    if transaction is not None:
        return transaction.execute(statement, binds).rowcount
    return _executor().execute(statement, binds)


def execute_many(statement: Executable, rows: Sequence[Mapping[str, object]]) -> None:
    """Execute a statement once for every row of binds, inside the open transaction."""
    transaction = current_transaction.get()
    if transaction is None:
        raise RuntimeError("Many rows are written inside a transaction only.")
    if rows:
        transaction.execute(statement, rows)


def in_transaction() -> bool:
    """Whether this thread or task is inside a function decorated with `transaction`."""
    return current_transaction.get() is not None


def is_postgres() -> bool:
    """Whether the current database is PostgreSQL; otherwise it is SQLite."""
    return _executor().is_postgres


def transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function one write transaction: it commits on return, and any exception undoes all of it.

    Nested calls join. The whole function runs again when two transactions conflict, so it must have no effect outside
    the database. Raises Unavailable.
    """

    @wraps(function)
    def whole(*args: P.args, **kwargs: P.kwargs) -> R:
        if in_transaction():
            return function(*args, **kwargs)
        return _executor().transaction(lambda: function(*args, **kwargs))

    return whole


def _executor() -> Executor:
    try:
        return current_executor.get()
    except LookupError:
        raise RuntimeError("No database is open here: write `with Database(url):` around the query.") from None
