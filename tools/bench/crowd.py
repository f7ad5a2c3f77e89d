"""Clients of a crowd: idle kept-alive connections, a storm of new connections, and slow readers of a large list."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from statistics import quantiles
from typing import NamedTuple

from tools.bench.workloads import Request

HOST = "127.0.0.1"
TIMEOUT_SECONDS = 30
# Small, so that a response that is not read stays in the server.
RECEIVE_BUFFER, CHUNK, PAUSE_SECONDS = 4096, 1024, 0.05


class Storm(NamedTuple):
    """The outcome of a storm: seconds until all were answered, milliseconds of each answer, and failures."""

    seconds: float
    times: list[float]
    failed: int

    def percentile(self, part: int) -> float:
        """The given percentile in milliseconds, or zero if there are fewer than two answers."""
        return quantiles(self.times, n=100)[part - 1] if len(self.times) > 1 else 0.0


def to_bytes(request: Request, connection: str) -> bytes:
    """The request as HTTP/1.1."""
    head = f"{request.method} {request.path} HTTP/1.1\r\nHost: bench\r\nX-API-Key: {request.key}\r\n"
    return f"{head}Connection: {connection}\r\n\r\n".encode()


@contextlib.contextmanager
def idle(port: int, request: Request, count: int) -> Iterator[list[socket.socket]]:
    """So many open connections, each of which has had one answer. Raises OSError if one is refused."""
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            opened.append(stack.enter_context(socket.create_connection((HOST, port), TIMEOUT_SECONDS)))
            if not answers(opened[-1], request):
                raise OSError(f"connection {len(opened)} was not answered with 200")
        yield opened


def answers(connection: socket.socket, request: Request) -> bool:
    """Whether the open connection still gives a complete answer with status 200."""
    try:
        connection.sendall(to_bytes(request, "keep-alive"))
        received = b""
        while not received.endswith(b"}"):
            part = connection.recv(65_536)
            if not part:
                return False
            received += part
    except OSError:
        return False
    return received.startswith(b"HTTP/1.1 200")


def storm(port: int, requests: Sequence[Request], count: int) -> Storm:
    """Opens so many connections at once, sends one request on each, and closes it after the answer."""
    sent = [to_bytes(requests[number % len(requests)], "close") for number in range(count)]
    started = time.perf_counter()
    outcomes = asyncio.run(_all(port, sent))
    times = [outcome for outcome in outcomes if outcome is not None]
    return Storm(time.perf_counter() - started, times, count - len(times))


async def _all(port: int, sent: list[bytes]) -> list[float | None]:
    return await asyncio.gather(*(_one(port, request) for request in sent))


async def _one(port: int, request: bytes) -> float | None:
    """Milliseconds from connecting to the end of the answer, or None if it failed."""
    started = time.perf_counter()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(request)
            answer = await reader.read(-1)
            writer.close()
    except (OSError, TimeoutError):
        return None
    return (time.perf_counter() - started) * 1000 if answer.startswith(b"HTTP/1.1 200") else None


@contextlib.contextmanager
def slow_readers(port: int, request: Request, count: int) -> Iterator[list[int]]:
    """So many connections that ask for a list again and again, and read a kilobyte every 50 ms.

    The list that is yielded has the bytes that each has read, once they have stopped; -1 if its connection failed.
    """
    stopped = threading.Event()
    read = [0] * count
    thread = threading.Thread(target=lambda: asyncio.run(_read_slowly(port, request, read, stopped)))
    thread.start()
    try:
        yield read
    finally:
        stopped.set()
        thread.join()


async def _read_slowly(port: int, request: Request, read: list[int], stopped: threading.Event) -> None:
    await asyncio.gather(*(_reader(port, request, read, number, stopped) for number in range(len(read))))


async def _reader(port: int, request: Request, read: list[int], number: int, stopped: threading.Event) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        connection.setblocking(False)
        try:
            await loop.sock_connect(connection, (HOST, port))
            await loop.sock_sendall(connection, to_bytes(request, "keep-alive"))
            while not stopped.is_set():
                part = await asyncio.wait_for(loop.sock_recv(connection, CHUNK), TIMEOUT_SECONDS)
                if not part:
                    raise ConnectionResetError
                read[number] += len(part)
                if part.endswith(b"}"):
                    await loop.sock_sendall(connection, to_bytes(request, "keep-alive"))
                await asyncio.sleep(PAUSE_SECONDS)
        except (OSError, TimeoutError):
            read[number] = -1
