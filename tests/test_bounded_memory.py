"""Bounded memory: no container of the process grows with the number of distinct values that strangers send.

The containers are found by walking all objects of the process, so a new cache without a bound fails here.
"""

import asyncio
import gc
import logging
import time
import tracemalloc
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

import app
from docsite.assets import served_name
from models import key_format
from settings import Settings
from tools.testing import in_process
from tools.testing.cases import JSON, LIST, LIVE, get, head
from tools.testing.in_process import InProcessServer
from web.asgi import App
from web.ratelimit.quotas import ADDRESS, MAX_CLIENTS
from web.telemetry.access_log import access_log
from web.telemetry.metrics import request_metrics

pytestmark = pytest.mark.slow

# The caches of the service have at most 4,096 entries each.
VALUES, MAX_GROWTH = 10_000, 5_000
ADDRESSES = 40_000
# Values and growth for what takes ten times as long; its caches have at most 64 entries.
LONG = 2_000, 500
LARGE_VALUES, LARGE_BYTES = 1_000, 6_000
# Half of what the large values have together.
MAX_BYTES = LARGE_VALUES * LARGE_BYTES // 2
PER_CONNECTION = 50
JWT_SECRET = "a shared secret of these tests, 32 bytes"
QUOTA = "1000000/minute"


class Sent(NamedTuple):
    """Requests with distinct values of one input: `build` makes the request of a value."""

    build: Callable[[bytes], bytes]
    values: int = VALUES
    max_growth: int = MAX_GROWTH
    per_connection: int = PER_CONNECTION


def value(number: int, size: int) -> bytes:
    return (b"v%d" % number).ljust(size, b"a")


def number_of(value: bytes) -> int:
    return int(value[1:].rstrip(b"a"))


def _token(number: int) -> bytes:
    claims = {"sub": f"user_{number}", "exp": int(time.time()) + 600}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(JWT_SECRET)).encode()


def _mine(*fields: bytes, target: bytes = LIST) -> bytes:
    return get(target, b"X-API-Key: KEY", *fields)


def _with_header(name: bytes, value: bytes) -> bytes:
    return _mine(b"%b: %b" % (name, value))


def _posted(body: bytes, *fields: bytes) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return head(b"POST", LIST, b"X-API-Key: KEY", JSON, length, *fields) + body


def _from_address(value: bytes) -> bytes:
    """A request of a client address of its own, in X-Forwarded-For or Forwarded."""
    number = number_of(value)
    address = b"2001:db8:%x:%x::1" % divmod(number, 65_536)
    return get(
        b"/v1", b"X-Forwarded-For: " + address if number % 2 else b'Forwarded: for="[%b]:%d"' % (address, number)
    )


STYLE = f"/docs/{served_name('page.css')}".encode()
INPUTS: dict[str, Sent] = {
    "paths": Sent(lambda v: get(b"/v1/" + v)),
    "paths of pages": Sent(lambda v: get(b"/docs/api-reference/music/" + v), *LONG),
    "hosts": Sent(lambda v: get(LIVE, host=b"Host: " + v)),
    "hosts of pages": Sent(lambda v: get(b"/docs/api-reference/music/errors.md", host=b"Host: " + v), *LONG),
    "organizations": Sent(lambda v: _mine(target=b"/v1/music/" + v + b"/collections")),
    "collections": Sent(lambda v: _mine(target=LIST + b"/" + v)),
    "queries": Sent(lambda v: _mine(target=LIST + b"?%b=1&limit=%b" % (v[:4000], v[:3000]))),
    "pages of a list": Sent(lambda v: _mine(target=LIST + b"?limit=1&offset=%d" % number_of(v))),
    "malformed keys": Sent(lambda v: get(LIST, b"X-API-Key: " + v)),
    "unknown keys": Sent(lambda _: get(LIST, b"X-API-Key: " + key_format.new_secret().encode())),
    "tokens": Sent(lambda v: get(LIST, b"Authorization: Bearer " + _token(number_of(v)))),
    "malformed tokens": Sent(lambda v: get(LIST, b"Authorization: Bearer eyJ.%b.a" % v)),
    "header names": Sent(lambda v: _mine(b"X-%b: 1" % v)),
    **{
        name: Sent(partial(_with_header, name.encode()))
        for name in ("X-Request-ID", "Origin", "Accept", "Prefer", "If-None-Match", "Cookie", "Upgrade")
    },
    "other headers": Sent(
        lambda v: _mine(*(b"%b: %b" % (name, v[:3000]) for name in (b"User-Agent", b"Referer", b"Via", b"Range")),
                           b"traceparent: 00-%032x-%016x-01" % (number_of(v), number_of(v)), b"tracestate: a=" + v[:99],
                           b"Accept-Language: " + v[:3000])),
    "headers of pages": Sent(
        lambda v: get(STYLE, *(b"%b: %b" % (name, v) for name in (b"Accept-Encoding", b"If-None-Match"))),
        *LONG),
    "bodies": Sent(lambda v: _posted(b'{"name": "", "%b": "%b"}' % (v, v))),
    "idempotency keys": Sent(lambda v: _posted(b'{"name": "a"}', b"Idempotency-Key: " + v[:255]), *LONG),
    "malformed requests": Sent(lambda v: b"GET /%b HTTP/1.%d\r\n\r\n" % (v, number_of(v)), per_connection=1),
    "addresses": Sent(_from_address, ADDRESSES, 2 * MAX_CLIENTS[ADDRESS] + MAX_GROWTH),
}  # fmt: skip

QUICK = {"paths", "paths of pages"}


@pytest.fixture(autouse=True)
def telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics and access log are on, as in production."""
    monkeypatch.setattr(request_metrics, "on", True)
    monkeypatch.setattr(access_log, "write", list)
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "disabled", True)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[tuple[Settings, str]]:
    limits = {"rate_limit": QUOTA, "rate_limit_address": QUOTA, "rate_limit_auth_failures": QUOTA}
    proxies = ("127.0.0.1",)
    with in_process.sample(tmp_path, **limits, trusted_proxies=proxies, jwt_secret=JWT_SECRET) as (made, key, _):
        yield made, key


async def _send(server: InProcessServer, sent: Sent, key: str, first: int, count: int, size: int = 8) -> None:
    for start in range(first, first + count, sent.per_connection):
        numbers = range(start, start + sent.per_connection)
        requests = [sent.build(value(n, size)).replace(b"KEY", key.encode()) for n in numbers]
        await server.exchange([b"".join(requests)])
    server.requests.clear()


Sizes = dict[tuple[str, int], int]


def objects() -> list[Any]:
    """All objects of the process that hold others. A dictionary of texts and numbers is known to its holder only."""
    tracked = gc.get_objects()
    return tracked + [item for item in gc.get_referents(*tracked) if type(item) is dict and not gc.is_tracked(item)]


def sizes(ignored: Sizes | None = None) -> Sizes:
    """The length of every container of the process, and the number of objects of every type."""
    gc.collect()
    found = objects()
    lengths: Sizes = {
        (type(item).__name__, id(item)): item.cache_info().currsize if isinstance(item, _CACHE) else len(item)
        for item in found
        if isinstance(item, dict | list | set | deque | _CACHE) and item is not found and item is not ignored
    }
    return lengths | {(f"objects of {kind}", 0): count for kind, count in Counter(map(type, found)).items()}


_CACHE = type(lru_cache(lambda: None))


def grown(before: Sizes, max_growth: int) -> list[str]:
    """What has grown by more than `max_growth`, with an example of what it holds."""
    found = [(name, size - before.get(name, 0)) for name, size in sizes(before).items()]
    return [f"{name} by {growth}: {_example(at)}" for (name, at), growth in found if growth > max_growth]


def _example(at: int) -> str:
    item = next((item for item in objects() if id(item) == at), ())
    return "" if isinstance(item, _CACHE) else repr(list(item)[-1:])[:200]


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow][name in QUICK :]) for name in INPUTS])
def test_no_container_grows_with_the_values_of_an_input(name: str, settings: tuple[Settings, str]) -> None:
    sent = INPUTS[name]

    async def run() -> list[str]:
        async with in_process.create(settings[0]) as server:
            await _send(server, sent, settings[1], 1_000_000, 4 * PER_CONNECTION)
            before = sizes()
            await _send(server, sent, settings[1], 0, sent.values)
            return grown(before, sent.max_growth)

    assert asyncio.run(run()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", INPUTS)
def test_memory_does_not_grow_with_large_values(name: str, settings: tuple[Settings, str]) -> None:
    async def run() -> int:
        async with in_process.create(settings[0]) as server:
            await _send(server, INPUTS[name], settings[1], 1_000_000, 100, LARGE_BYTES)
            gc.collect()
            tracemalloc.start()
            await _send(server, INPUTS[name], settings[1], 0, LARGE_VALUES, LARGE_BYTES)
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

    try:
        assert asyncio.run(run()) <= MAX_BYTES
    finally:
        tracemalloc.stop()


KINDS = ("set", "list", "cache", "objects")


def _remembering(application: App, remember: Callable[[Any], object]) -> App:
    async def remembered(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            remember(scope["raw_path"])
        await application(scope, receive, send)

    return remembered


@pytest.mark.parametrize("kind", ["dict", *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS)])
def test_unbounded_cache_is_noticed(kind: str, settings: tuple[Settings, str]) -> None:
    kept: dict[Any, Any] = {}
    known: set[Any] = set()
    listed: list[Any] = []
    chain: list[Any] = []
    remember: dict[str, Callable[[Any], object]] = {
        "dict": lambda path: kept.setdefault(path, 1),
        "set": known.add,
        "list": listed.append,
        "cache": lru_cache(None)(lambda path: path),
        "objects": lambda path: chain.__setitem__(slice(None), [[path, *chain]]),
    }

    async def run() -> list[str]:
        application = _remembering(app.create_app(settings[0]), remember[kind])
        async with InProcessServer(application) as server:
            before = sizes()
            await _send(server, INPUTS["paths"], settings[1], 0, VALUES)
            return grown(before, MAX_GROWTH)

    assert asyncio.run(run())
