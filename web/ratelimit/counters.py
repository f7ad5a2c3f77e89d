"""Fixed-window counters: in the memory of one process, or in Redis for all workers.

Decisions 40 and 42.
"""

from __future__ import annotations

import asyncio
import zlib
from time import monotonic
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

    It depends on the wall clock only, so all workers on all machines compute the same.
    """
    shift = zlib.crc32(client.encode()) % seconds
    return ((now + shift) // seconds + 1) * seconds - shift


class FixedWindowCounter:
    """Counts requests in memory, in windows of `seconds`, for at most twice `max_clients`.

    Windows end by the wall clock, which may be set. A window that ends further ahead than its own length is one of
    before the clock was set back: it is not believed, because nobody could leave it for as long as the jump was.


    Clients are in two generations. The current one becomes the previous one after `seconds`, or when it is full. A
    client that is counted again moves to the current one; those left in the previous one are dropped at the next turn.
    So a client loses its count within its window only when `max_clients` others were counted since its last request.
    """

    def __init__(self, seconds: int, max_clients: int) -> None:
        self._seconds = seconds
        self._max_clients = max_clients
        self.reset()

    def reset(self) -> None:
        """Forgets all clients."""
        self._rotates_at = 0.0
        self._current: dict[str, Window] = {}
        self._previous: dict[str, Window] = {}

    def count(self, client: str, now: float) -> Window:
        """The client's current window, with this request counted."""
        window = self._current.get(client)
        if window is None or not now < window.ends <= now + self._seconds:
            window = self._open_window(client, now)
        window.count += 1
        return window

    def _open_window(self, client: str, now: float) -> Window:
        elapsed = monotonic()
        if elapsed > self._rotates_at or len(self._current) >= self._max_clients:
            self._current, self._previous, self._rotates_at = {}, self._current, elapsed + self._seconds
        window = self._previous.pop(client, None)
        if window is None or not now < window.ends <= now + self._seconds:
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
