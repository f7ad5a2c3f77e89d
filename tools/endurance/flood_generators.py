"""Floods of strangers, from 50 addresses of 127.0.0.0/8: what each sends, and what came back."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import uvloop

from docsite.assets import served_name
from models import key_format
from tools.testing.service import HOME

ADDRESSES = [f"127.0.0.{number}" for number in range(2, 52)]
# The floods have a lower priority, so that the honest clients on the same core measure the server and not them.
NICE = 5
MIB = 1024 * 1024
LIST = f"/v1/music/{HOME}/collections".encode()
HOST = b"Host: localhost\r\n"
LIVE = b"GET /v1/health/live HTTP/1.1\r\n" + HOST
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
PIPELINED = b"GET / HTTP/1.1\r\nHost:\r\n\r\n"
# An address that the server trusts as a proxy.
PROXY = ADDRESSES[-1]
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Outcome(NamedTuple):
    """Counts of responses by status and of connections by end, per flood; and the share of a core that floods took."""

    effects: dict[str, dict[str, int]]
    core_share: float


class Stranger(asyncio.Protocol):
    """One connection; counts its responses and how it ended."""

    def __init__(self, effects: Counter[str]) -> None:
        self._effects = effects
        self.transport: asyncio.Transport = asyncio.Transport()
        self.over = asyncio.get_running_loop().create_future()
        self.responses = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self._effects["connections"] += 1

    def data_received(self, data: bytes) -> None:
        statuses = _STATUS.findall(data)
        self.responses += len(statuses)
        self._effects.update(status.decode() for status in statuses)

    def connection_lost(self, exc: Exception | None) -> None:
        self._effects["closed" if exc is None else "cut"] += 1
        if not self.over.done():
            self.over.set_result(None)

    async def wait(self, seconds: float) -> None:
        """Waits for the end of the connection."""
        # Not wait_for, which before Python 3.12 can take a cancellation for the end of its time.
        await asyncio.wait((self.over,), timeout=seconds)


class Flood:
    """The connections of one flood."""

    def __init__(self, port: int, secret: str) -> None:
        self.port = port
        self.key = b"X-API-Key: " + secret.encode() + b"\r\n"
        self.effects: Counter[str] = Counter()

    async def connect(self, address: str) -> Stranger:
        made = asyncio.get_running_loop().create_connection(
            lambda: Stranger(self.effects), "127.0.0.1", self.port, local_addr=(address, 0)
        )
        return (await made)[1]


Play = Callable[[Flood, str], Awaitable[None]]


def held(start: Callable[[Flood], bytes], seconds: float = 30) -> Play:
    """Sends the start of a request, and waits until the server ends it."""

    async def play(flood: Flood, address: str) -> None:
        stranger = await flood.connect(address)
        stranger.transport.write(start(flood))
        await stranger.wait(seconds)
        stranger.transport.abort()

    return play


def endless(start: Callable[[Flood], bytes], piece: bytes, pieces_per_second: float) -> Play:
    """Sends the same piece until the server closes the connection."""

    async def play(flood: Flood, address: str) -> None:
        stranger = await flood.connect(address)
        stranger.transport.write(start(flood))
        while not stranger.over.done():
            if stranger.transport.get_write_buffer_size() < MIB:
                stranger.transport.write(piece)
            await stranger.wait(1 / pieces_per_second)

    return play


def repeated(request: Callable[[], bytes], per_second: float) -> Play:
    """Sends whole requests on one connection, one after another."""

    async def play(flood: Flood, address: str) -> None:
        stranger = await flood.connect(address)
        while not stranger.over.done():
            stranger.transport.write(request())
            await stranger.wait(1 / per_second)

    return play


async def unread(flood: Flood, address: str) -> None:
    """Asks for the largest file of the reference, and reads nothing for 30 seconds."""
    stranger = await flood.connect(address)
    stranger.transport.pause_reading()
    stranger.transport.write(b"GET /docs/%b HTTP/1.1\r\n" % served_name("scalar.js").encode() + HOST + b"\r\n")
    await asyncio.sleep(30)
    stranger.transport.resume_reading()
    await stranger.wait(1)
    stranger.transport.abort()


async def pipeline(flood: Flood, address: str) -> None:
    """Sends 256 KB of requests at once, and reads the responses."""
    stranger, count = await flood.connect(address), 256_000 // len(PIPELINED)
    stranger.transport.write(PIPELINED * count)
    while stranger.responses < count and not stranger.over.done():
        await stranger.wait(0.1)
    stranger.transport.abort()


async def one_request(flood: Flood, address: str) -> None:
    """Opens 23 connections with one request each."""
    loop = asyncio.get_running_loop()
    for _ in range(23):
        client = socket.socket()
        client.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
        client.bind((secrets.choice(ADDRESSES), 0))
        client.connect(("127.0.0.1", flood.port))
        client.setblocking(False)
        client.send(LIVE + b"Connection: close\r\n\r\n")
        flood.effects["connections"] += 1
        loop.add_reader(client, _read_to_end, loop, client, flood.effects)


def _read_to_end(loop: asyncio.AbstractEventLoop, client: socket.socket, effects: Counter[str]) -> None:
    try:
        data = client.recv(65536)
    except OSError:
        data, effects["cut"] = b"", effects["cut"] + 1
    effects.update(status.decode() for status in _STATUS.findall(data))
    if not data:
        loop.remove_reader(client)
        client.close()


def _forwarded() -> bytes:
    port = secrets.randbelow(60_000)
    return LIVE + f"X-Forwarded-For: 198.51.100.2:{port}\r\n\r\n".encode()


def _unknown_key() -> bytes:
    return b"GET " + LIST + b" HTTP/1.1\r\n" + HOST + f"X-API-Key: {key_format.new_secret()}\r\n\r\n".encode()


def _missing_page() -> bytes:
    return b"GET /docs/" + secrets.token_hex(4000).encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n"


def _posted(flood: Flood) -> bytes:
    body = b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    return b"POST " + LIST + b" HTTP/1.1\r\n" + HOST + flood.key + body


class Kind(NamedTuple):
    """One flood: its connections, the seconds between the starts of two in one place, and what each does."""

    connections: int
    period: float
    play: Play


LARGE = LIVE + b"Content-Length: %d\r\n\r\n" % MIB + b"x" * (MIB - 1)
KINDS = {
    "trailers": Kind(4, 0.05, endless(lambda _: LIVE + CHUNKED + b"0\r\nA: ", b"x" * 50_000, 100)),
    "slow_bodies": Kind(300, 30, held(lambda _: LIVE + b"Content-Length: 10\r\n\r\n123456789")),
    "slow_bodies_of_a_key": Kind(300, 36, held(_posted)),
    "large_bodies": Kind(400, 30, held(lambda _: LARGE)),
    "unread": Kind(150, 30, unread),
    "pipelines": Kind(40, 30, pipeline),
    "connections": Kind(1, 0.01, one_request),
    "missing_pages": Kind(1, 0.05, repeated(_missing_page, 100)),
    "chunk_extensions": Kind(4, 0.05, endless(lambda _: LIVE + CHUNKED + b"1;", b"x" * 10_000, 100)),
    "header_drips": Kind(200, 0.5, endless(lambda _: LIVE + b"X-A: ", b"a", 1)),
    "forwarded": Kind(1, 0.05, repeated(_forwarded, 200)),
    "keys": Kind(10, 0.05, repeated(_unknown_key, 10)),
}


async def _repeat(kind: Kind, flood: Flood, number: int, name: str) -> None:
    address = PROXY if name == "forwarded" else ADDRESSES[number % (len(ADDRESSES) - 1)]
    await asyncio.sleep(number / kind.connections)
    starts = time.monotonic()
    while True:
        starts = max(starts + kind.period, time.monotonic() - kind.period)
        try:
            await kind.play(flood, address)
        except OSError:
            flood.effects["refused"] += 1
        await asyncio.sleep(max(0.0, starts - time.monotonic()))


async def _all(port: int, names: list[str], secret: str, seconds: float) -> dict[str, dict[str, int]]:
    floods = {name: Flood(port, secret) for name in names}
    tasks = [
        asyncio.create_task(_repeat(KINDS[name], floods[name], number, name))
        for name in names
        for number in range(KINDS[name].connections)
    ]
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {name: dict(sorted(flood.effects.items())) for name, flood in floods.items()}


def run(port: int, names: list[str], secret: str, seconds: float, core: int) -> Outcome:
    """Runs the floods in this process, on one core; `secret` is the key of the slow bodies."""
    os.sched_setaffinity(0, {core})
    os.nice(NICE)
    started = time.process_time()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        effects = runner.run(_all(port, names, secret, seconds))
    return Outcome(effects, (time.process_time() - started) / seconds)


def spin(share: float, seconds: float, core: int) -> None:
    """Takes this share of a core and does nothing with it."""
    os.sched_setaffinity(0, {core})
    os.nice(NICE)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ends = time.process_time() + share * 0.005
        while time.process_time() < ends:
            pass
        time.sleep(max(0.0, (1 - share) * 0.005))
