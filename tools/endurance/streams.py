"""Throughput of audio: the service, nginx with and without sendfile, and nginx told by the service (X-Accel-Redirect).

Beside it stand nginx told by nginx, and by the smallest ASGI application: what asking costs at least, and in Python.
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
from typing import Any, NamedTuple

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
PLAIN, SENDFILE, ACCEL, SERVICE = "nginx, sendfile off", "nginx, sendfile on", "nginx by X-Accel-Redirect", "service"
# The least that asking costs: the answer is a constant, of the same nginx and of Python.
ACCEL_OF_NGINX, ACCEL_OF_ASGI = "nginx by X-Accel-Redirect of nginx", "nginx by X-Accel-Redirect of bare ASGI"
# Of the rate of nginx with sendfile off, which it is by X-Accel-Redirect too: the difference is then what asking costs.
# Those without a limit are only shown.
LEAST = {SERVICE: 0.5, ACCEL: 0.95, ACCEL_OF_NGINX: 0.0, ACCEL_OF_ASGI: 0.0, SENDFILE: 0.0}
CONFIGURATION = """
daemon off; worker_processes 1; user root; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    proxy_http_version 1.1; proxy_set_header Connection "";
    server {{ listen 127.0.0.1:{plain}; sendfile off; location / {{ root {audio}; }} }}
    server {{ listen 127.0.0.1:{sendfile}; sendfile on; location / {{ root {audio}; }} }}
    server {{ listen 127.0.0.1:{constant}; location / {{ add_header X-Accel-Redirect /_audio/$uri; return 200; }} }}
    {told}
}}
"""
TOLD = """
    upstream of_{port} {{ server 127.0.0.1:{asked}; keepalive 32; }}
    server {{
        listen 127.0.0.1:{port}; sendfile off;
        location / {{ proxy_pass http://of_{port}; }}
        location /_audio/ {{ internal; alias {audio}/; etag off; add_header ETag $upstream_http_etag; max_ranges 1; }}
    }}
"""


async def constant(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """The smallest ASGI application that tells nginx which file to send."""
    if scope["type"] == "http":
        head = [(b"content-length", b"0"), (b"x-accel-redirect", b"/_audio" + scope["path"].encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b""})


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
    """Two services, one of which leaves the sending to nginx, bare ASGI, and nginx; all on one core."""
    audio = folder / "audio"
    with databases.fresh("sqlite", folder) as url, contextlib.ExitStack() as stack:
        migrate.upgrade(url)
        stored = AudioStore(audio.as_uri()).write_bytes(HOME, new_id("mtrack_"), "audio/mpeg", noise(FILE_BYTES))
        with connected(url):
            organizations.join(HOME, ALICE)
            track = tracks.add(HOME, ALICE, title="A", audio=stored)
        assert track is not None
        with _pinned(core):
            own = stack.enter_context(running(url, folder, AUDIO_URL=audio.as_uri()))
            telling = stack.enter_context(running(url, folder, AUDIO_URL=audio.as_uri(), AUDIO_ACCEL="/_audio/"))
            asgi = stack.enter_context(_bare_asgi())
            ports = stack.enter_context(_nginx(folder, audio, {ACCEL: telling.port, ACCEL_OF_ASGI: asgi}))
        signed, named = sealed(track.id, seconds=36_000), f"/{stored.name}"
        paths = dict.fromkeys(ports, named) | {ACCEL: signed}
        yield [Target(SERVICE, own.port, signed), *(Target(name, port, paths[name]) for name, port in ports.items())]


@contextlib.contextmanager
def _nginx(folder: Path, audio: Path, asked: dict[str, int]) -> Iterator[dict[str, int]]:
    """The port of each server of nginx by its name; `asked` has those that it asks, and it asks a server of its own."""
    constant_port = free_port()
    ports = {name: free_port() for name in (PLAIN, SENDFILE, ACCEL_OF_NGINX, *asked)}
    told = [
        TOLD.format(port=ports[name], asked=port, audio=audio)
        for name, port in {ACCEL_OF_NGINX: constant_port, **asked}.items()
    ]
    file = folder / "nginx.conf"
    text = CONFIGURATION.format(
        folder=folder, audio=audio, plain=ports[PLAIN], sendfile=ports[SENDFILE], constant=constant_port,
        told="".join(told),
    )  # fmt: skip
    file.write_text(text, encoding="utf-8")
    with _process(["nginx", "-p", str(folder), "-c", str(file)], ports[PLAIN]):
        yield ports


@contextlib.contextmanager
def _bare_asgi() -> Iterator[int]:
    """The port of uvicorn with the application `constant`."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "tools.endurance.streams:constant", "--port", str(port)]
    with _process([*command, "--loop", "uvloop", "--http", "httptools", "--log-level", "error"], port):
        yield port


@contextlib.contextmanager
def _process(command: list[str], port: int) -> Iterator[None]:
    """A server that accepts connections to the port, stopped afterwards."""
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
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
        for name, least in LEAST.items():
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
