"""Remembers when keys were last used: told by every request, written in a thread of its own, a moment later."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic

import structlog

from models.exceptions import Unavailable

FLUSH_SECONDS = 1.0
log = structlog.get_logger("web.security.key_usage")


class KeyUsageRecorder:
    """Gathers the keys that were used and hands each to `write` at most once an interval, several at a time.

    It belongs to one event loop. A process that is killed loses what it has gathered in the last second.
    """

    def __init__(self, write: Callable[[frozenset[str]], None], interval_seconds: float) -> None:
        self._write = write
        self._interval = interval_seconds
        self._due: OrderedDict[str, float] = OrderedDict()
        self._pending: set[str] = set()
        # Not one of the threads that requests wait for; it is started by the first key.
        self._thread = ThreadPoolExecutor(1, "uses")
        self._ticking = False

    def record(self, key_id: str) -> None:
        """A request has come with this key. Costs one look-up unless the key is due."""
        if key_id in self._due:
            return
        self._due[key_id] = monotonic() + self._interval
        self._pending.add(key_id)
        if not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        if self._pending:
            key_ids, self._pending = frozenset(self._pending), set()
            written = loop.run_in_executor(self._thread, self._write, key_ids)
            written.add_done_callback(partial(self._on_written, key_ids))
        self._drop_due()
        self._ticking = bool(self._due or self._pending)
        if self._ticking:
            loop.call_later(FLUSH_SECONDS, self._flush)

    def _drop_due(self) -> None:
        """Makes the keys due again whose interval is over; they stand in the order of their moments."""
        moment = monotonic()
        while self._due and next(iter(self._due.values())) <= moment:
            self._due.popitem(last=False)

    def _on_written(self, key_ids: frozenset[str], written: asyncio.Future[None]) -> None:
        failure = written.exception()
        if isinstance(failure, Unavailable):
            self._pending |= key_ids  # for the next time, whose turn comes while any key is remembered
        elif failure is not None:
            log.error("uses of keys not written", keys=len(key_ids), exc_info=failure)
