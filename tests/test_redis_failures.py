"""Every exception of the Redis client, at every call: requests are counted in memory, and none is refused for it."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from limits.aio.storage import RedisStorage
from redis.asyncio.connection import AbstractConnection, BlockingConnectionPool

from tools.testing import failing_drivers
from web.ratelimit import counters
from web.ratelimit.counters import RedisCounter

# The calls of the library that counts, of the client, and of its connections.
CALLS: dict[str, tuple[type, str]] = {
    "count": (RedisStorage, "incr"),
    "take a connection": (BlockingConnectionPool, "get_connection"),
    "connect": (AbstractConnection, "connect"),
    "send": (AbstractConnection, "send_packed_command"),
    "read": (AbstractConnection, "read_response"),
}
LOST, FOUND = "rate limit store unavailable, counting per worker", "rate limit store available again"


@pytest.mark.parametrize("call", CALLS)
def test_exception_of_the_redis_client_is_an_outage(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "RETRY_SECONDS", 0)
    packages = [*failing_drivers.of_package("redis"), *failing_drivers.of_package("limits")]
    for error in (*packages, *failing_drivers.of_python()):
        with monkeypatch.context() as patch, structlog.testing.capture_logs() as lines:
            asyncio.run(_lose_and_find(call, error, patch))
        assert [line["event"] for line in lines] == [LOST, FOUND], error


async def _lose_and_find(call: str, error: Exception, patch: pytest.MonkeyPatch) -> None:
    """Counts while the call fails, lets the probes of the counter fail too, then lets Redis respond."""
    counter = RedisCounter("redis://127.0.0.1:1/0")
    for method in ("connect", "send_packed_command"):
        patch.setattr(AbstractConnection, method, _returning(None))
    patch.setattr(*CALLS[call], _raising(error))
    patch.setattr(RedisStorage, "get", _raising(error))
    assert [await counter.count("default", "alice", 60, time.time()) for _ in range(2)] == [None, None], error
    await asyncio.sleep(0)
    assert counter.unavailable, error
    patch.setattr(RedisStorage, "get", _returning(0))
    patch.setattr(RedisStorage, "incr", _returning(7))
    async with asyncio.timeout(5):
        await counter._retry_task  # type: ignore[misc] # it is a task while Redis is unavailable
    window = await counter.count("default", "alice", 60, time.time())
    assert window is not None
    assert window.count == 7


def _raising(error: Exception) -> Callable[..., Any]:
    async def call(*_: object, **__: object) -> None:
        raise error

    return call


def _returning(value: object) -> Callable[..., Any]:
    async def call(*_: object, **__: object) -> object:
        return value

    return call
