"""What requests have used, collected per request and written once a second in the background.

Decision 38.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextvars import Context
from time import monotonic
from typing import Generic, TypeVar

import structlog

from models.db.database import Database
from models.exceptions import Unavailable

FLUSH_SECONDS = 1.0
T = TypeVar("T")
log = structlog.get_logger("web.usage")


class UsageRecorder(Generic[T]):
    """Collects what was used and lets `write` write it in batches, each thing at most once per interval.

    It belongs to one event loop. A killed process loses the usage of the last second.
    """

    def __init__(
        self, database: Database, what: str, write: Callable[[frozenset[T]], None], interval_seconds: float
    ) -> None:
        self._database = database
        self._what, self._write_batch = what, write
        self._interval = interval_seconds
        self._due: OrderedDict[T, float] = OrderedDict()
        self._pending: set[T] = set()
        self._scheduled = False
        self._task: asyncio.Task[None] | None = None

    def record(self, used: T) -> None:
        """Records that this was used; one dictionary look-up unless it is due."""
        if used in self._due:
            return
        self._due[used] = monotonic() + self._interval
        self._pending.add(used)
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        # An empty context: otherwise the timer would keep the current request's context alive.
        asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush, context=Context())

    def _flush(self) -> None:
        self._scheduled = False
        if self._pending and (self._task is None or self._task.done()):
            batch, self._pending = frozenset(self._pending), set()
            self._task = asyncio.get_running_loop().create_task(self._write(batch))
        self._drop_due()
        if self._due or self._pending:
            self._schedule()

    def _drop_due(self) -> None:
        """Removes what has had its interval, so that its next use is due; oldest first."""
        now = monotonic()
        while self._due and next(iter(self._due.values())) <= now:
            self._due.popitem(last=False)

    async def _write(self, batch: frozenset[T]) -> None:
        try:
            await self._database.call(self._write_batch, batch, writes=True, reserved=True)
        except Unavailable:
            self._pending |= batch  # written with the next batch
        except Exception as failure:
            log.error("recording usage failed", what=self._what, count=len(batch), exc_info=failure)
