"""Resolve counter: how often share links were resolved, counted per request and written once a second.

Decision 38 has the same for the use of API keys.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextvars import Context

import structlog

from models import shares
from models.db.database import Database
from models.exceptions import Unavailable
from models.shares import LinkKey

FLUSH_SECONDS = 1.0
log = structlog.get_logger("web.resolve_counter")


class ResolveCounter:
    """Counts resolves and writes them in batches, a row for each link that was resolved since the last one.

    It belongs to one event loop. A killed process loses what was counted in the last second.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: Counter[LinkKey] = Counter()
        self._scheduled = False
        self._task: asyncio.Task[None] | None = None

    def count(self, link: LinkKey) -> None:
        """Counts one resolve of the link."""
        self._counts[link] += 1
        self._schedule()

    async def flush(self) -> None:
        """Writes what was counted, after the batch that is being written."""
        if self._task is not None:
            await self._task
        await self._write()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            # An empty context: otherwise the timer would keep the current request's context alive.
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._start, context=Context())

    def _start(self) -> None:
        self._scheduled = False
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write())
        else:
            self._schedule()  # the database is slow: with the next batch

    async def _write(self) -> None:
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            await self._database.call(shares.add_resolves, counts, writes=True, reserved=True)
        except Unavailable:
            self._counts += counts
            self._schedule()  # with the next batch
        except Exception as failure:
            log.error("counting resolves failed", links=len(counts), exc_info=failure)
