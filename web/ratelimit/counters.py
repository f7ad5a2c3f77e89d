"""Fixed-window counters: in the memory of one process, or in Redis for all workers.

Decisions 40 and 42.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from limits.aio.storage import RedisStorage

TIMEOUT_SECONDS = 1.0
RETRY_SECONDS = 1.0
MAX_CONNECTIONS = 16
log = structlog.get_logger("web.ratelimit.counters")


class Window:
    """One window of one client: the number of requests so far, and its end in Unix seconds."""

    __slots__ = ("count", "ends")

    def __init__(self, count: int, ends: float) -> None:
        self.count = count
        self.ends = ends


def window_end(client: str, seconds: int, now: float) -> float:
    """The end of a client's current window in Unix seconds; the windows of clients are shifted against each other.

    It depends on the clock only, so all workers compute the same.
    """
    shift = zlib.crc32(client.encode()) % seconds
    return ((now + shift) // seconds + 1) * seconds - shift


class FixedWindowCounter:
    """Counts requests in memory, in windows of `seconds`; clients without requests for a full window are dropped."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._rotates_at = 0.0
        self._current: dict[str, Window] = {}
        self._previous: dict[str, Window] = {}

    def count(self, client: str, now: float) -> Window:
        """The client's current window, with this request counted."""
        window = self._current.get(client)
        if window is None or window.ends <= now:
            window = self._open_window(client, now)
        window.count += 1
        return window

    def _open_window(self, client: str, now: float) -> Window:
        if now > self._rotates_at:
            self._current, self._previous, self._rotates_at = {}, self._current, now + self._seconds
        window = self._previous.pop(client, None)
        if window is None or window.ends <= now:
            window = Window(0, window_end(client, self._seconds, now))
        self._current[client] = window
        return window


class RedisCounter:
    """Counts the requests of all workers in Redis; while it is unavailable or slow, each worker counts in memory."""

    def __init__(self, url: str) -> None:
        self._storage = _redis(url)
        self._retry_task: asyncio.Task[None] | None = None

    @property
    def unavailable(self) -> bool:
        """Whether the last request to Redis failed."""
        return self._retry_task is not None

    async def count(self, name: str, client: str, seconds: int, now: float) -> Window | None:
        """As FixedWindowCounter.count; None while Redis is unavailable, which is logged once per outage."""
        if self._retry_task is not None:
            return None
        ends = window_end(client, seconds, now)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return Window(await self._storage.incr(f"{name}/{client}/{ends:.0f}", seconds + 1), ends)
        except Exception as failure:  # noqa: BLE001 - whatever Redis or its client does: no request is refused for it
            self._mark_unavailable(failure)
            return None

    def _mark_unavailable(self, failure: Exception) -> None:
        if self._retry_task is None:
            log.warning("rate limit store unavailable, counting per worker", failure=repr(failure))
            self._retry_task = asyncio.create_task(self._wait_until_available())

    async def _wait_until_available(self) -> None:
        """Pings Redis once a second until it responds, so that no request has to wait for a timeout."""
        available = False
        while not available:
            await asyncio.sleep(RETRY_SECONDS)
            available = await self._ping()
        self._retry_task = None
        log.warning("rate limit store available again")

    async def _ping(self) -> bool:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self._storage.get("probe")  # the library's own check() swallows a cancellation
        except Exception:  # noqa: BLE001 - as above; the next attempt follows in a second
            return False
        return True


def _redis(url: str) -> RedisStorage:
    """The storage of `limits` on at most 16 connections; imported here, because most servers need no Redis."""
    from limits.aio.storage import RedisStorage
    from redis.asyncio import BlockingConnectionPool

    redis_url = url.replace("redis+unix:", "unix:")
    pool = BlockingConnectionPool.from_url(redis_url, max_connections=MAX_CONNECTIONS, timeout=TIMEOUT_SECONDS)
    options: dict[str, Any] = {"connection_pool": pool}
    return RedisStorage(f"async+{url}", wrap_exceptions=True, implementation="redispy", **options)
