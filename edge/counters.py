"""Counting in windows of time: in this process, or in a store that all workers share."""

from __future__ import annotations

import asyncio
import time
import zlib
from typing import TYPE_CHECKING

import structlog
from limits.errors import StorageError

if TYPE_CHECKING:
    from limits.aio.storage import RedisStorage

PATIENCE_SECONDS = 0.1
PAUSE_SECONDS = 1.0
Count = tuple[int, int]
log = structlog.get_logger("edge.counters")


def window_end(who: str, seconds: int, moment: float) -> int:
    """When the present window of somebody ends, in Unix seconds; everybody's windows begin at another moment.

    It follows from the clock, so no worker has to ask another, or a store, for it.
    """
    shift = zlib.crc32(who.encode()) % seconds
    return ((int(moment) + shift) // seconds + 1) * seconds - shift


class Book:
    """Counts of one process, in windows of so many seconds; what was not asked for in a whole window is forgotten."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._turn = 0.0
        self._young: dict[str, list[int]] = {}
        self._old: dict[str, list[int]] = {}

    def count(self, who: str) -> Count:
        """The requests of somebody in the present window, this one included, and when it ends."""
        moment = time.time()
        entry = self._young.get(who)
        if entry is None or entry[1] <= moment:
            entry = self._found(who, moment)
        entry[0] += 1
        return entry[0], entry[1]

    def _found(self, who: str, moment: float) -> list[int]:
        if moment > self._turn:
            self._young, self._old, self._turn = {}, self._young, moment + self._seconds
        entry = self._old.pop(who, None)
        if entry is None or entry[1] <= moment:
            entry = [0, window_end(who, self._seconds, moment)]
        self._young[who] = entry
        return entry


class Shared:
    """Counts of all workers, in Redis; while it is away or slow each worker has to count for itself."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._storage: RedisStorage | None = None
        self._again = 0.0
        self.away = False

    async def count(self, name: str, who: str, seconds: int) -> Count | None:
        """As Book.count does; None while the store does not answer, which is logged once."""
        moment = time.time()
        if moment < self._again:
            return None
        ends = window_end(who, seconds, moment)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                count = await self._store().incr(f"{name}/{who}/{ends}", seconds + 1)
        except (TimeoutError, OSError, StorageError) as failure:
            self._miss(moment, failure)
            return None
        self._found()
        return count, ends

    def _store(self) -> RedisStorage:
        if self._storage is None:
            from limits.aio.storage import RedisStorage

            self._storage = RedisStorage(f"async+{self._url}", implementation="redispy", wrap_exceptions=True)
        return self._storage

    def _miss(self, moment: float, failure: BaseException) -> None:
        self._again = moment + PAUSE_SECONDS
        if not self.away:
            self.away = True
            log.warning("the store of the rate limits is away; every worker counts for itself", failure=repr(failure))

    def _found(self) -> None:
        if self.away:
            self.away = False
            log.warning("the store of the rate limits is back")
