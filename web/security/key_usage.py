"""Records `last_used_at`: collected per request, written once a second in the background."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextvars import Context
from time import monotonic

import structlog

from models import keys
from models.db.database import Database
from models.exceptions import Unavailable

FLUSH_SECONDS = 1.0
log = structlog.get_logger("web.security.key_usage")


class KeyUsageRecorder:
    """Collects the keys that were used, and writes each at most once an interval, several at a time.

    It belongs to one event loop. A process that is killed loses what it has collected in the last second.
    """

    def __init__(self, database: Database, interval_seconds: float = keys.USE_INTERVAL.total_seconds()) -> None:
        self._database = database
        self._interval = interval_seconds
        self._due: OrderedDict[str, float] = OrderedDict()
        self._pending: set[str] = set()
        self._scheduled = False
        self._task: asyncio.Task[None] | None = None

    def record(self, key_id: str) -> None:
        """A request has come with this key. Costs one look-up unless the key is due."""
        if key_id in self._due:
            return
        self._due[key_id] = monotonic() + self._interval
        self._pending.add(key_id)
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        # A context of its own: the timer must not keep the request alive that happened to start it.
        asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush, context=Context())

    def _flush(self) -> None:
        self._scheduled = False
        if self._pending and (self._task is None or self._task.done()):
            key_ids, self._pending = frozenset(self._pending), set()
            self._task = asyncio.get_running_loop().create_task(self._write(key_ids))
        self._drop_due()
        if self._due or self._pending:
            self._schedule()

    def _drop_due(self) -> None:
        """Makes the keys due again whose interval is over; they stand in the order of their moments."""
        moment = monotonic()
        while self._due and next(iter(self._due.values())) <= moment:
            self._due.popitem(last=False)

    async def _write(self, key_ids: frozenset[str]) -> None:
        try:
            await self._database.call(keys.record_uses, key_ids, writes=True, reserved=True)
        except Unavailable:
            self._pending |= key_ids  # for the next time
        except Exception as failure:
            log.error("recording key usage failed", keys=len(key_ids), exc_info=failure)
