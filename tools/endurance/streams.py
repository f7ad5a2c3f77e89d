"""Throughput of audio: the service, nginx with and without sendfile, and nginx told by the service (X-Accel-Redirect).

Each server has one core and the client the other; they are measured in turns. What is compared is one run's medians.
`python -m tools.endurance.streams [--seconds 3] [--rounds 5]`.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress

from models import organizations, tracks
from models.audio_store import AudioStore
from models.base import new_id
from models.db import migrate
from tools.endurance.report import Figure, show
from tools.testing import databases
from tools.testing.played import noise, sealed
from tools.testing.server_process import connected, free_port, running
from tools.testing.service import ALICE, HOME

FILE_BYTES, BUFFER_BYTES = 10_000_000, 256 * 1024
STREAMS = (1, 8)
SECONDS, ROUNDS = 3.0, 5
# Of nginx with sendfile off, which it is by X-Accel-Redirect too: the difference is then what asking the service costs.
SHARE, SHARE_BY_ACCEL = 0.5, 0.95
PLAIN, SENDFILE, ACCEL, SERVICE = "nginx, sendfile off", "nginx, sendfile on", "nginx by X-Accel-Redirect", "service"
# The least that asking costs: the answer is a constant of the same nginx.
ACCEL_OF_NGINX = "nginx by X-Accel-Redirect of nginx"
CONFIGURATION = """
daemon off; worker_processes 1; user root; pid {0}/nginx.pid; error_log {0}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000;
    client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/fastcgi;
    uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;
    upstream service {{ server 127.0.0.1:{5}; keepalive 32; }}
    proxy_http_version 1.1; proxy_set_header Connection "";
    server {{ listen 127.0.0.1:{1}; sendfile off; location / {{ root {2}; }} }}
    server {{ listen 127.0.0.1:{3}; sendfile on; location / {{ root {2}; }} }}
    upstream constant {{ server 127.0.0.1:{6}; keepalive 32; }}
    server {{ listen 127.0.0.1:{6}; location / {{ add_header X-Accel-Redirect /_audio/$uri; return 200; }} }}
    server {{
        listen 127.0.0.1:{7}; sendfile off;
        location / {{ proxy_pass http://constant; }}
        location /_audio/ {{ internal; alias {2}/; }}
    }}
    server {{
        listen 127.0.0.1:{4}; sendfile off;
        location / {{ proxy_pass http://service; }}
        location /_audio/ {{ internal; alias {2}/; etag off; add_header ETag $upstream_http_etag; max_ranges 1; }}
    }}
}}
"""


class Target(NamedTuple):
    """Where a file is fetched: the name of the server, its port, and path and query."""

    name: str
    port: int
    path: str


class _Stream:
    """One keep-alive connection that fetches the file again and again."""

    def __init__(self, target: Target) -> None:
        self.socket = socket.create_connection(("127.0.0.1", target.port))
        self._request = f"GET {target.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self._ask()

    def _ask(self) -> None:
        self.socket.sendall(self._request)
        self._head, self._left = b"", -1

    def take(self, piece: memoryview) -> None:
        if self._left < 0:
            self._head, end, body = (self._head + piece).partition(b"\r\n\r\n")
            if not end:
                return
            if not self._head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(self._head.decode())
            self._left = FILE_BYTES - len(body)
        else:
            self._left -= len(piece)
        if self._left == 0:
            self._ask()


def rate(target: Target, streams: int, seconds: float, core: int) -> float:
    """Megabytes per second of so many connections together, read in this process on one core."""
    os.sched_setaffinity(0, {core})
    total, buffer = 0, memoryview(bytearray(BUFFER_BYTES))
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        for _ in range(streams):
            stream = _Stream(target)
            selector.register(stack.enter_context(stream.socket), selectors.EVENT_READ, stream)
        started = time.perf_counter()
        while (passed := time.perf_counter() - started) < seconds:
            for key, _ in selector.select(1):
                size = key.data.socket.recv_into(buffer)
                if not size:
                    raise RuntimeError(f"{target.name} has closed a connection")
                total += size
                key.data.take(buffer[:size])
    return total / passed / 1e6


@contextlib.contextmanager
def _pinned(core: int) -> Iterator[None]:
    """What is started inside the context runs on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def _servers(folder: Path, core: int) -> Iterator[list[Target]]:
    """Two services, one of which leaves the sending to nginx, and nginx; all on one core."""
    audio = folder / "audio"
    with databases.fresh("sqlite", folder) as url, contextlib.ExitStack() as stack:
        migrate.upgrade(url)
        stored = AudioStore(audio.as_uri()).write_bytes(HOME, new_id("mtrack_"), "audio/mpeg", noise(FILE_BYTES))
        with connected(url):
            organizations.join(HOME, ALICE)
            track = tracks.add(HOME, ALICE, title="A", audio=stored)
        assert track is not None
        path, ports = sealed(track.id, seconds=36_000), [free_port() for _ in range(5)]
        with _pinned(core):
            own = stack.enter_context(running(url, folder, AUDIO_URL=audio.as_uri()))
            telling = stack.enter_context(running(url, folder, AUDIO_URL=audio.as_uri(), AUDIO_ACCEL="/_audio/"))
            stack.enter_context(_nginx(folder, ports, audio, telling.port))
        yield [
            Target(SERVICE, own.port, path),
            Target(PLAIN, ports[0], f"/{stored.name}"),
            Target(SENDFILE, ports[1], f"/{stored.name}"),
            Target(ACCEL, ports[2], path),
            Target(ACCEL_OF_NGINX, ports[4], f"/{stored.name}"),
        ]


@contextlib.contextmanager
def _nginx(folder: Path, ports: list[int], audio: Path, upstream: int) -> Iterator[None]:
    file = folder / "nginx.conf"
    text = CONFIGURATION.format(folder, ports[0], audio, ports[1], ports[2], upstream, ports[3], ports[4])
    file.write_text(text, encoding="utf-8")
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(file)])
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", ports[2]), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


def measure(folder: Path, seconds: float, rounds: int, progress: Progress) -> dict[tuple[str, int], float]:
    """The median rate in MB/s by server and number of streams."""
    cores = sorted(os.sched_getaffinity(0))
    found: dict[tuple[str, int], list[float]] = {}
    spawn = multiprocessing.get_context("spawn")
    with _servers(folder, cores[0]) as targets, ProcessPoolExecutor(1, spawn) as pool:
        task = progress.add_task("streams", total=rounds * len(STREAMS) * len(targets))
        for _ in range(rounds):
            for streams in STREAMS:
                for target in targets:
                    measured = pool.submit(rate, target, streams, seconds, cores[-1]).result()
                    found.setdefault((target.name, streams), []).append(measured)
                    progress.advance(task)
    return {key: statistics.median(values) for key, values in found.items()}


def figures(found: dict[tuple[str, int], float]) -> list[Figure]:
    """The ratios with their limits; the rate of nginx with sendfile beside them."""
    listed = []
    for streams in STREAMS:
        of_nginx = found[PLAIN, streams]
        for name, least in ((SERVICE, SHARE), (ACCEL, SHARE_BY_ACCEL), (ACCEL_OF_NGINX, 0.0), (SENDFILE, 0.0)):
            ratio = found[name, streams] / of_nginx
            what = f"{streams} stream{'s'[: streams - 1]}: {name}, {found[name, streams]:.0f} of {of_nginx:.0f} MB/s"
            listed.append(Figure(what, "sqlite", f"{ratio:.2f}", f">= {least:g}", ratio >= least))
    return listed


def main(words: list[str]) -> int:
    """The exit status: 0 when every ratio is reached."""
    parser = argparse.ArgumentParser(prog="python -m tools.endurance.streams", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of each measurement ({SECONDS:g})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of which the median counts ({ROUNDS})")
    given = parser.parse_args(words)
    with Progress(console=Console(stderr=True)) as progress, tempfile.TemporaryDirectory() as folder:
        listed = figures(measure(Path(folder), given.seconds, given.rounds, progress))
    show(listed, Console(width=140))
    return 0 if all(figure.kept for figure in listed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
