"""Read replica: reads that may be stale go to the replica, unless their user has written recently.

Decision 31.
"""

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

# After an outage of the replica, reads skip it for this long; then the next read tries it again.
RETRY_SECONDS = 5.0

_may_be_stale: ContextVar[bool] = ContextVar("may_be_stale", default=False)


class Replica:
    """An executor that runs stale reads on the replica, and everything else on the primary.

    `lag_seconds`: the time after a write in which its user reads from the primary only (read-your-writes).
    """

    is_postgres = True

    def __init__(self, primary: Any, replica: Any, lag_seconds: float) -> None:
        self._primary, self._replica = primary, replica
        self._lag_seconds = lag_seconds
        self._caught_up_at: dict[str, float] = {}
        self._guard = Lock()
        self._retry_at: float | None = None
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
        """The number of connections in use, of primary and replica."""
        return int(self._primary.in_use + self._replica.in_use)

    @contextmanager
    def reading_as(self, user_id: str) -> Iterator[None]:
        """Reads inside may be stale, unless the user has written within `lag_seconds`."""
        token = _may_be_stale.set(self._caught_up_at.get(user_id, 0.0) <= monotonic())
        try:
            yield
        finally:
            _may_be_stale.reset(token)

    @contextmanager
    def writing_as(self, user_id: str) -> Iterator[None]:
        """Records a write at the end of the context: the user then reads from the primary for `lag_seconds`."""
        try:
            yield
        finally:
            self._record_write(user_id)

    def rows(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        """All rows. If the replica has none, the primary is read too, because the replica may lag."""
        return self._replica_rows(statement, binds) or self._primary.rows(statement, binds)

    def close(self) -> None:
        """Closes all connections."""
        self._replica.close()
        self._primary.close()

    def _replica_rows(self, statement: Executable, binds: dict[str, Any]) -> Sequence[Any]:
        if statement.is_dml or not _may_be_stale.get() or (self._retry_at is not None and monotonic() < self._retry_at):
            return ()
        try:
            rows: Sequence[Any] = self._replica.rows(statement, binds)
        except (Unavailable, DBAPIError) as error:
            self._mark_unavailable(error)
            return ()
        if self._retry_at is not None:
            self._retry_at = None
            log.info("replica available again")
        return rows

    def _mark_unavailable(self, error: Unavailable | DBAPIError) -> None:
        if isinstance(error, DBAPIError):
            return  # the replica responded; the statement may succeed on the primary
        if self._retry_at is None:
            log.warning("replica unavailable, reads go to the primary", cause=error.system_message)
        self._retry_at = monotonic() + RETRY_SECONDS

    def _record_write(self, user_id: str) -> None:
        written_at, caught_up_at = monotonic(), self._caught_up_at
        with self._guard:
            caught_up_at.pop(user_id, None)  # keeps the dictionary in the order of time
            caught_up_at[user_id] = written_at + self._lag_seconds
            while caught_up_at[oldest := next(iter(caught_up_at))] <= written_at and oldest != user_id:
                del caught_up_at[oldest]
