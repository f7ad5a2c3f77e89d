"""A server of the benchmark as a process: started on its core, measured, stopped."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from tools.bench.targets import ROOT, Peer
from tools.bench.workloads import Request

START_SECONDS = 30
MIB = 1024 * 1024


class Server:
    """A running server; `start_ms` is the time from its start to its first response with status 200."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, start_ms: float) -> None:
        self.process, self.port, self.start_ms = process, port, start_ms

    def memory(self) -> float:
        """Resident memory in MiB of the largest process, which is the worker."""
        return max(process.memory_info().rss for process in self._processes()) / MIB

    def cpu_seconds(self) -> float:
        """Processor time used so far in seconds, children included."""
        times = [process.cpu_times() for process in self._processes()]
        return sum(float(t.user + t.system) for t in times)

    def _processes(self) -> list[psutil.Process]:
        head = psutil.Process(self.process.pid)
        return [head, *head.children(recursive=True)]


@contextlib.contextmanager
def running(
    peer: Peer, url: str, pepper: str, first: Request, log: Path, core: int, extra: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """The peer, after its first response with status 200; its log goes to a file. Raises RuntimeError."""
    port = _free_port()
    started = time.perf_counter()
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["/usr/bin/env", "taskset", "-c", str(core), *peer.argv(port)],
            cwd=ROOT, env=peer.environment(url, pepper, port, extra or {}), stdout=output, stderr=output,
        )  # fmt: skip
    try:
        _await(process, port, first, log)
        yield Server(process, port, (time.perf_counter() - started) * 1000)
    finally:
        _stop(process)


def send(port: int, request: Request) -> tuple[int, bytes]:
    """Status and body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        return _send(connection, request)
    finally:
        connection.close()


def warm(port: int, requests: Sequence[Request], seconds: float) -> None:
    """Sends requests one at a time for some seconds, so that caches are filled before the measurement."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    deadline = time.monotonic() + seconds
    try:
        for request in itertools.cycle(requests):
            _send(connection, request)
            if time.monotonic() > deadline:
                return
    finally:
        connection.close()


def _send(connection: http.client.HTTPConnection, request: Request) -> tuple[int, bytes]:
    headers = {"X-API-Key": request.key} | ({"Content-Type": "application/json"} if request.body else {})
    connection.request(request.method, request.path, request.body or None, headers)
    response = connection.getresponse()
    return response.status, response.read()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(process: subprocess.Popen[bytes], port: int, first: Request, log: Path) -> None:
    status = 0
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            status = send(port, first)[0]
        if status == 200:
            return
        time.sleep(0.01)
    tail = log.read_text(encoding="utf-8", errors="replace")[-3000:]
    raise RuntimeError(f"The server did not start (last status {status}); the end of its log:\n{tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        # Some servers wait for keep-alive connections to end; the load is over, so they can be killed.
        for child in psutil.Process(process.pid).children(recursive=True):
            os.kill(child.pid, signal.SIGKILL)
        process.kill()
        process.wait()
