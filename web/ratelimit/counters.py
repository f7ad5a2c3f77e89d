"""Counting in windows of time: in this process, or in a store that all workers share."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Any

import structlog
from limits.errors import StorageError

if TYPE_CHECKING:
    from limits.aio.storage import RedisStorage

TIMEOUT_SECONDS = 1.0
RETRY_SECONDS = 1.0
MAX_CONNECTIONS = 16
log = structlog.get_logger("web.ratelimit.counters")


class Window:
    """How many requests of somebody there were in it, and when it ends, in Unix seconds."""

    __slots__ = ("count", "ends")

    def __init__(self, count: int, ends: float) -> None:
        self.count = count
        self.ends = ends


def window_end(who: str, seconds: int, moment: float) -> float:
    """When the window of somebody ends in which a moment lies, in Unix seconds; everybody's begin at another moment.

    It follows from the clock, so no worker has to ask another, or a store, for it.
    """
    shift = zlib.crc32(who.encode()) % seconds
    return ((moment + shift) // seconds + 1) * seconds - shift


class FixedWindowCounter:
    """Counts of one process, in windows of so many seconds; what was not asked for in a whole window is forgotten."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._rotates_at = 0.0
        self._current: dict[str, Window] = {}
        self._previous: dict[str, Window] = {}

    def count(self, who: str, moment: float) -> Window:
        """The window of somebody in which the moment lies, with this request counted."""
        window = self._current.get(who)
        if window is None or window.ends <= moment:
            window = self._open_window(who, moment)
        window.count += 1
        return window

    def _open_window(self, who: str, moment: float) -> Window:
        if moment > self._rotates_at:
            self._current, self._previous, self._rotates_at = {}, self._current, moment + self._seconds
        window = self._previous.pop(who, None)
        if window is None or window.ends <= moment:
            window = Window(0, window_end(who, self._seconds, moment))
        self._current[who] = window
        return window


class RedisCounter:
    """Counts of all workers, in Redis; while it is away or slow each worker has to count for itself."""

    def __init__(self, url: str) -> None:
        self._storage = _redis(url)
        self._retry_task: asyncio.Task[None] | None = None

    @property
    def unavailable(self) -> bool:
        """Whether the store did not answer when it was last asked."""
        return self._retry_task is not None

    async def count(self, name: str, who: str, seconds: int, moment: float) -> Window | None:
        """As FixedWindowCounter.count does; None while the store does not answer, which is logged once."""
        if self._retry_task is not None:
            return None
        ends = window_end(who, seconds, moment)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return Window(await self._storage.incr(f"{name}/{who}/{ends:.0f}", seconds + 1), ends)
        except (TimeoutError, OSError, StorageError) as failure:
            self._mark_unavailable(failure)
            return None

    def _mark_unavailable(self, failure: Exception) -> None:
        if self._retry_task is None:
            log.warning("rate limit store unavailable, counting per worker", failure=repr(failure))
            self._retry_task = asyncio.create_task(self._wait_until_back())

    async def _wait_until_back(self) -> None:
        """Asks until there is an answer, so that no request has to find out."""
        answered = False
        while not answered:
            await asyncio.sleep(RETRY_SECONDS)
            answered = await self._ping()
        self._retry_task = None
        log.warning("rate limit store available again")

    async def _ping(self) -> bool:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self._storage.get("probe")  # its own check swallows that it was cancelled
        except (TimeoutError, OSError, StorageError):
            return False
        return True


def _redis(url: str) -> RedisStorage:
    """The library's storage, on a bounded number of connections; the library of Redis is loaded only here."""
    from limits.aio.storage import RedisStorage
    from redis.asyncio import BlockingConnectionPool

    place = url.replace("redis+unix:", "unix:")
    pool = BlockingConnectionPool.from_url(place, max_connections=MAX_CONNECTIONS, timeout=TIMEOUT_SECONDS)
    options: dict[str, Any] = {"connection_pool": pool}
    return RedisStorage(f"async+{url}", wrap_exceptions=True, implementation="redispy", **options)
