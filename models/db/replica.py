"""Reads that may be a moment old are asked of a copy of the database, unless their reader has just written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from time import monotonic
from typing import Any, TypeVar

import structlog
from sqlalchemy import Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util.concurrency import greenlet_spawn

from models.db.context import current_executor
from models.exceptions import Unavailable

R = TypeVar("R")

log = structlog.get_logger("models.db.replica")

# How long a copy that did not answer is left alone; somebody's read finds out whether it is back.
RETRY_SECONDS = 5.0

_may_be_old: ContextVar[bool] = ContextVar("may_be_old", default=False)


class Replica:
    """An executor that asks a copy for reads that may be old, and the primary for everything else.

    `lag_seconds`: how long after a write its user reads the primary alone (read-your-writes).
    """

    is_postgres = True

    def __init__(self, primary: Any, copy: Any, lag_seconds: float) -> None:
        self._primary, self._copy = primary, copy
        self._lag_seconds = lag_seconds
        self._caught_up_at: dict[str, float] = {}
        self._guard = Lock()
        self._next_try: float | None = None
        self.execute, self.transaction = primary.execute, primary.transaction

    async def run(self, function: Callable[..., R], *args: Any) -> R:
        """The result of a plain function, on the event loop."""
        token = current_executor.set(self)
        try:
            result: R = await greenlet_spawn(function, *args)
            return result
        finally:
            current_executor.reset(token)

    @property
    def in_use(self) -> int:
        """How many connections are in use, of both."""
        return int(self._primary.in_use + self._copy.in_use)

    @contextmanager
    def reading_as(self, user_id: str) -> Iterator[None]:
        """Reads inside may be old, unless the user has just written."""
        token = _may_be_old.set(self._caught_up_at.get(user_id, 0.0) <= monotonic())
        try:
            yield
        finally:
            _may_be_old.reset(token)

    @contextmanager
    def writing_as(self, user_id: str) -> Iterator[None]:
        """From its end on the user reads the primary, until the copy can be expected to have caught up."""
        try:
            yield
        finally:
            self._record_write(user_id)

    def rows(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        """Every row; the primary's when the copy has none, which may not have them yet."""
        return self._rows_of_copy(statement, binds) or self._primary.rows(statement, binds)

    def close(self) -> None:
        """Closes every connection."""
        self._copy.close()
        self._primary.close()

    def _rows_of_copy(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        if statement.is_dml or not _may_be_old.get() or (self._next_try is not None and monotonic() < self._next_try):
            return ()
        try:
            found: Sequence[Any] = self._copy.rows(statement, binds)
        except (Unavailable, DBAPIError) as failure:
            self._mark_unavailable(failure)
            return ()
        if self._next_try is not None:
            self._next_try = None
            log.info("the replica answers again")
        return found

    def _mark_unavailable(self, failure: Unavailable | DBAPIError) -> None:
        if isinstance(failure, DBAPIError):
            return  # it answered: what it refuses, the primary may do
        if self._next_try is None:
            log.warning("the replica does not answer; its reads go to the primary", cause=failure.system_message)
        self._next_try = monotonic() + RETRY_SECONDS

    def _record_write(self, user_id: str) -> None:
        moment, known = monotonic(), self._caught_up_at
        with self._guard:
            known.pop(user_id, None)  # so that the dictionary stays in the order of time
            known[user_id] = moment + self._lag_seconds
            while known[oldest := next(iter(known))] <= moment and oldest != user_id:
                del known[oldest]
