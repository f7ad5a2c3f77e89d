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

DELAY_SECONDS = 1.0
log = structlog.get_logger("web.security.key_usage")


class Uses:
    """Gathers the keys that were used and hands each to `write` at most once an interval, several at a time.

    It belongs to one event loop. A process that is killed loses what it has gathered in the last second.
    """

    def __init__(self, write: Callable[[frozenset[str]], None], interval_seconds: float) -> None:
        self._write = write
        self._interval = interval_seconds
        self._due: OrderedDict[str, float] = OrderedDict()
        self._gathered: set[str] = set()
        # Not one of the threads that requests wait for; it is started by the first key.
        self._writer = ThreadPoolExecutor(1, "uses")
        self._ticking = False

    def note(self, key_id: str) -> None:
        """A request has come with this key. Costs one look-up unless the key is due."""
        if key_id in self._due:
            return
        self._due[key_id] = monotonic() + self._interval
        self._gathered.add(key_id)
        if not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_later(DELAY_SECONDS, self._tick)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        if self._gathered:
            key_ids, self._gathered = frozenset(self._gathered), set()
            written = loop.run_in_executor(self._writer, self._write, key_ids)
            written.add_done_callback(partial(self._written, key_ids))
        self._forget()
        self._ticking = bool(self._due or self._gathered)
        if self._ticking:
            loop.call_later(DELAY_SECONDS, self._tick)

    def _forget(self) -> None:
        """Makes the keys due again whose interval is over; they stand in the order of their moments."""
        moment = monotonic()
        while self._due and next(iter(self._due.values())) <= moment:
            self._due.popitem(last=False)

    def _written(self, key_ids: frozenset[str], written: asyncio.Future[None]) -> None:
        failure = written.exception()
        if isinstance(failure, Unavailable):
            self._gathered |= key_ids  # for the next time, whose turn comes while any key is remembered
        elif failure is not None:
            log.error("uses of keys not written", keys=len(key_ids), exc_info=failure)
