"""Key usage: `last_used_at` of API keys, collected per request and written once a second in the background.

Decision 38.
"""

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
    """Collects the keys that were used and writes them in batches, each key at most once per interval.

    It belongs to one event loop. A killed process loses the key usage of the last second.
    """

    def __init__(self, database: Database, interval_seconds: float = keys.USE_INTERVAL.total_seconds()) -> None:
        self._database = database
        self._interval = interval_seconds
        self._due: OrderedDict[str, float] = OrderedDict()
        self._pending: set[str] = set()
        self._scheduled = False
        self._task: asyncio.Task[None] | None = None

    def record(self, key_id: str) -> None:
        """Records a request with this key; one dictionary look-up unless the key is due."""
        if key_id in self._due:
            return
        self._due[key_id] = monotonic() + self._interval
        self._pending.add(key_id)
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        # An empty context: otherwise the timer would keep the current request's context alive.
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
        """Removes the keys whose interval has passed, so that their next use is due; oldest first."""
        now = monotonic()
        while self._due and next(iter(self._due.values())) <= now:
            self._due.popitem(last=False)

    async def _write(self, key_ids: frozenset[str]) -> None:
        try:
            await self._database.call(keys.record_uses, key_ids, writes=True, reserved=True)
        except Unavailable:
            self._pending |= key_ids  # written with the next batch
        except Exception as failure:
            log.error("recording key usage failed", keys=len(key_ids), exc_info=failure)
