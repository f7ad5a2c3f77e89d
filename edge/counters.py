"""Counting in windows of time: in this process, or in a store that all workers share."""

from __future__ import annotations

import asyncio
import time
import zlib
from typing import TYPE_CHECKING, Any

import structlog
from limits.errors import StorageError

if TYPE_CHECKING:
    from limits.aio.storage import RedisStorage

PATIENCE_SECONDS = 1.0
PAUSE_SECONDS = 1.0
MOST_CONNECTIONS = 16
# How many requests there were in the present window, and when it ends, in Unix seconds.
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
        """The requests of somebody in the present window, this one included."""
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
        self._storage = _redis(url)
        self._waiting: asyncio.Task[None] | None = None

    @property
    def away(self) -> bool:
        """Whether the store did not answer when it was last asked."""
        return self._waiting is not None

    async def count(self, name: str, who: str, seconds: int) -> Count | None:
        """As Book.count does; None while the store does not answer, which is logged once."""
        if self._waiting is not None:
            return None
        ends = window_end(who, seconds, time.time())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._storage.incr(f"{name}/{who}/{ends}", seconds + 1), ends
        except (TimeoutError, OSError, StorageError) as failure:
            self._do_without(failure)
            return None

    def _do_without(self, failure: Exception) -> None:
        if self._waiting is None:
            log.warning("the store of the rate limits is away; every worker counts for itself", failure=repr(failure))
            self._waiting = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        """Asks until there is an answer, so that no request has to find out."""
        answered = False
        while not answered:
            await asyncio.sleep(PAUSE_SECONDS)
            answered = await self._answers()
        self._waiting = None
        log.warning("the store of the rate limits is back")

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._storage.get("probe")  # its own check swallows that it was cancelled
        except (TimeoutError, OSError, StorageError):
            return False
        return True


def _redis(url: str) -> RedisStorage:
    """The library's storage, on a bounded number of connections; the library of Redis is loaded only here."""
    from limits.aio.storage import RedisStorage
    from redis.asyncio import BlockingConnectionPool

    place = url.replace("redis+unix:", "unix:")
    pool = BlockingConnectionPool.from_url(place, max_connections=MOST_CONNECTIONS, timeout=PATIENCE_SECONDS)
    options: dict[str, Any] = {"connection_pool": pool}
    return RedisStorage(f"async+{url}", wrap_exceptions=True, implementation="redispy", **options)
