"""Honest load: reads and some updates with one key, at a fixed rate, with the time of every response."""

from __future__ import annotations

import asyncio
import os
import re
import time
from typing import NamedTuple

import uvloop

from tools.endurance.workload import LIST
from tools.testing import seed

CONNECTIONS, PER_SECOND, TIMEOUT_SECONDS = 8, 60, 30.0
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) .*?\r\ncontent-length: (\d+)\r\n(?:.*?\r\n)?\r\n", re.DOTALL)


class Result(NamedTuple):
    """Requests, how many were refused (status 400 and above) or broken, and milliseconds."""

    requests: int
    refused: int
    broken: int
    p50: float
    p99: float
    max: float


class Client(asyncio.Protocol):
    """One keep-alive connection with one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport = asyncio.Transport()
        self._read = b""
        self._status: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        head = _HEAD.match(self._read)
        if self._status and head and len(self._read) >= head.end() + int(head[2]):
            self._status.set_result(int(head[1]))
            self._status = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._status and not self._status.done():
            self._status.set_exception(exc or ConnectionResetError())

    async def status(self, request: bytes) -> int:
        """The status of one request. Raises OSError."""
        self._read, self._status = b"", asyncio.get_running_loop().create_future()
        self.transport.write(request)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await self._status


def _request(number: int, secret: str) -> bytes:
    """Of ten requests, six get a collection, two list collections, one lists tracks, and one updates a name."""
    own, method, body = f"{LIST}/{seed.collection_id(number % 100)}", "GET", ""
    match number % 10:
        case 9:
            method, body = "PATCH", f'{{"name": "Name {number}"}}'
        case 8:
            own = f"{LIST}/{seed.collection_id(0)}/tracks?limit=50"
        case 6 | 7:
            own = f"{LIST}?limit=20"
    head = f"{method} {own} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {secret}\r\n"
    typed = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{head}{typed}\r\n{body}".encode()


class Load:
    """The connections, and what they have measured."""

    def __init__(self, port: int, secret: str) -> None:
        self._port, self._secret = port, secret
        self._milliseconds: list[float] = []
        self._refused = self._broken = 0

    async def run(self, seconds: float) -> Result:
        await asyncio.gather(*(self._send(number, seconds) for number in range(CONNECTIONS)))
        times = sorted(self._milliseconds) or [0.0]
        p50, p99 = (times[int(len(times) * share)] for share in (0.5, 0.99))
        return Result(len(self._milliseconds), self._refused, self._broken, p50, p99, times[-1])

    async def _send(self, number: int, seconds: float) -> None:
        await asyncio.sleep(number / PER_SECOND)
        client, until = await self._connect(), time.monotonic() + seconds
        while (started := time.monotonic()) < until:
            try:
                status = await client.status(_request(number, self._secret))
                self._refused += status >= 400
            except OSError:  # TimeoutError too
                self._broken += 1
                client = await self._connect()
            self._milliseconds.append((time.monotonic() - started) * 1000)
            number += CONNECTIONS
            await asyncio.sleep(max(0.0, started + CONNECTIONS / PER_SECOND - time.monotonic()))
        client.transport.close()

    async def _connect(self) -> Client:
        return (await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", self._port))[1]


def run(port: int, secret: str, seconds: float, core: int) -> Result:
    """Runs the load in this process, on one core."""
    os.sched_setaffinity(0, {core})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Load(port, secret).run(seconds))
