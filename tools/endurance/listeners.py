"""A thousand listeners at 16 KiB/s on one file: the memory of the server, and the API beside them.

The server has one core, listeners and API load the other. `python -m tools.endurance.listeners [--seconds 120]`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.progress import Progress

from models import keys, organizations, tracks
from models.audio_store import AudioStore
from models.base import new_id
from models.db import migrate
from tools.endurance import honest_load, resource_usage
from tools.endurance.honest_load import Result
from tools.endurance.report import Figure, at_most, exactly, show
from tools.testing import databases, seed
from tools.testing.played import noise, sealed
from tools.testing.server_process import Running, connected, running
from tools.testing.service import HOME, PEPPER, READ, WRITE

LISTENERS, ADDRESSES, BYTES_PER_SECOND, FILE_BYTES = 1000, 50, 16 * 1024, 10_000_000
MEMORY_MIB, MAX_SLOWDOWN, SHARE_HEARD = 40, 2.0, 0.9
RAMP_SECONDS, WARM_UP_SECONDS, BASELINE_SECONDS, SECONDS = 10, 5, 60, 120
COLLECTIONS, RATE = 100, "1000000/minute"
TICK_SECONDS = 0.5


@dataclass
class Heard:
    """What all listeners have got: bytes, connections that broke, and bytes that are not those of the file."""

    received: int = 0
    broken: int = 0
    wrong: int = 0


class Listener:
    """One connection that reads at a fixed rate; at the end of the file it starts again."""

    def __init__(self, number: int, port: int, target: str, content: bytes, heard: Heard) -> None:
        self._address = f"127.0.0.{2 + number % ADDRESSES}"
        self._port, self._content, self._heard = port, content, heard
        self._request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

    async def listen(self, until: float) -> None:
        while time.monotonic() < until:
            try:
                await self._play(until)
            except (OSError, EOFError):
                self._heard.broken += 1
                await asyncio.sleep(1)

    async def _play(self, until: float) -> None:
        # The limit makes the reader stop reading its socket, as a player with a full buffer does.
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._port, local_addr=(self._address, 0), limit=BYTES_PER_SECOND
        )
        try:
            writer.write(self._request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise OSError(head)
            await self._read(reader, until)
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, until: float) -> None:
        at, started = 0, time.monotonic()
        while at < len(self._content) and time.monotonic() < until:
            size = min(int(BYTES_PER_SECOND * TICK_SECONDS), len(self._content) - at)
            piece = await reader.readexactly(size)
            self._heard.wrong += piece != self._content[at : at + size]
            at += size
            self._heard.received += size
            await asyncio.sleep(max(0.0, started + at / BYTES_PER_SECOND - time.monotonic()))


def listen(port: int, target: str, content: bytes, count: int, seconds: float, core: int) -> Heard:
    """Runs the listeners in this process, on one core; they start one after the other."""
    os.sched_setaffinity(0, {core})
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    heard = Heard()

    async def all_of_them() -> None:
        until = time.monotonic() + RAMP_SECONDS + seconds
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(Listener(number, port, target, content, heard).listen(until))
                await asyncio.sleep(RAMP_SECONDS / count)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(all_of_them())
    return heard


@dataclass(frozen=True)
class Measured:
    """The API alone and beside the listeners, what they heard, and the server's memory in MiB."""

    alone: Result
    beside: Result
    heard: Heard
    before: float
    peak: float


@contextlib.contextmanager
def _server(folder: Path, core: int) -> Iterator[tuple[Running, str, str, bytes]]:
    """A server with the contract's quotas on one core, the key of its user, the URL of a track, and its audio."""
    content, audio = noise(FILE_BYTES), (folder / "audio").as_uri()
    with databases.fresh("sqlite", folder) as url:
        migrate.upgrade(url)
        seed.fill(url, COLLECTIONS, 1, COLLECTIONS, lambda _count: None)
        stored = AudioStore(audio).write_bytes(HOME, new_id("mtrack_"), "audio/mpeg", content)
        with connected(url):
            organizations.join(HOME, seed.user(0))
            key = keys.make(HOME, seed.user(0), (READ, WRITE), pepper=PEPPER.encode(), rate_limit=RATE)[1]
            track = tracks.add(HOME, seed.user(0), title="A", audio=stored)
        assert track is not None
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {core})
        try:
            with running(url, folder, RATE_LIMIT="", AUDIO_URL=audio) as server:
                os.sched_setaffinity(0, before)
                yield server, key, sealed(track.id, seconds=3600), content
        finally:
            os.sched_setaffinity(0, before)


def measure(folder: Path, count: int, seconds: float, progress: Progress) -> Measured:
    """The API alone on a server, then the same with listeners."""
    cores = sorted(os.sched_getaffinity(0))
    server_core, load_core = cores[0], cores[-1]
    spawn = multiprocessing.get_context("spawn")
    with _server(folder, server_core) as (server, key, target, content), ProcessPoolExecutor(2, spawn) as pool:
        pool.submit(honest_load.run, server.port, key, WARM_UP_SECONDS, load_core).result()
        alone = pool.submit(honest_load.run, server.port, key, min(seconds, BASELINE_SECONDS), load_core).result()
        before = resource_usage.measure(server).resident
        hearing = pool.submit(listen, server.port, target, content, count, seconds, load_core)
        time.sleep(RAMP_SECONDS)
        load = pool.submit(honest_load.run, server.port, key, seconds, load_core)
        peak = _watched(server, load, seconds, progress)
        return Measured(alone, load.result(), hearing.result(), before, peak)


def _watched(server: Running, load: Future[Result], seconds: float, progress: Progress) -> float:
    """The highest resident memory in MiB while the load runs."""
    peak, started = 0.0, time.monotonic()
    task = progress.add_task("listeners", total=seconds)
    while not load.done():
        peak = max(peak, resource_usage.measure(server).resident)
        progress.update(task, completed=time.monotonic() - started)
        time.sleep(0.5)
    return peak


def figures(found: Measured, count: int, seconds: float) -> list[Figure]:
    """The figures with their limits."""
    heard, alone, beside = found.heard, found.alone, found.beside
    rate = heard.received / count / (seconds + RAMP_SECONDS / 2) / 1024
    return [
        exactly(f"listeners: connections broken of {count:,}", "sqlite", heard.broken, 0),
        exactly("listeners: pieces that are not those of the file", "sqlite", heard.wrong, 0),
        Figure(
            "listeners: KiB/s of each", "sqlite", f"{rate:.1f}", f">= {BYTES_PER_SECOND / 1024 * SHARE_HEARD:.1f}",
            rate >= BYTES_PER_SECOND / 1024 * SHARE_HEARD,
        ),
        at_most(f"memory above {found.before:.0f} MiB", "sqlite", found.peak - found.before, MEMORY_MIB, " MiB"),
        exactly(f"API: requests refused or broken of {beside.requests:,}", "sqlite", beside.refused + beside.broken, 0),
        at_most(
            f"API: p99, p50 {beside.p50:.1f} ms; alone p99 {alone.p99:.1f}, p50 {alone.p50:.1f}", "sqlite",
            beside.p99, alone.p99 * MAX_SLOWDOWN, " ms",
        ),
    ]  # fmt: skip


def main(words: list[str]) -> int:
    """The exit status: 0 when every figure is within its limit."""
    parser = argparse.ArgumentParser(prog="python -m tools.endurance.listeners", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"for how long they listen ({SECONDS})")
    parser.add_argument("--listeners", type=int, default=LISTENERS, help=f"how many ({LISTENERS})")
    given = parser.parse_args(words)
    with Progress(console=Console(stderr=True)) as progress, tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), given.listeners, given.seconds, progress)
    listed = figures(found, given.listeners, given.seconds)
    show(listed, Console(width=140))
    return 0 if all(figure.kept for figure in listed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
