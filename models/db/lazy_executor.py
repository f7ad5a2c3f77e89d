"""An executor that is made for its first query: a server on PostgreSQL seldom needs the driver of its threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Executable

from models.db.context import Executor

R = TypeVar("R")


class LazyExecutor:
    """Passes everything on to the executor that `make` returns, in the thread that asks first."""

    is_postgres = True

    def __init__(self, make: Callable[[], Executor]) -> None:
        self._make = make
        self._made: Executor | None = None
        self._making = Lock()

    @property
    def made(self) -> Executor:
        """The executor, which is made once, however many threads ask first."""
        if self._made is None:
            with self._making:
                self._made = self._made or self._make()
        return self._made

    @property
    def in_use(self) -> int:
        """The number of connections in use."""
        return 0 if self._made is None else self._made.in_use

    def rows(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        """All rows. Raises Unavailable."""
        return self.made.rows(statement, binds)

    def execute(self, statement: Executable, binds: dict[str, Any]) -> int:
        """The number of rows written. Raises Unavailable."""
        return self.made.execute(statement, binds)

    def transaction(self, work: Callable[[], R]) -> R:
        """Runs `work` as one transaction. Raises Unavailable."""
        return self.made.transaction(work)

    def close(self) -> None:
        """Closes all connections, if there was a query."""
        if self._made is not None:
            self._made.close()
