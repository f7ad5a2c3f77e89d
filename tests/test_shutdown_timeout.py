"""The shutdown timeout holds whatever hangs: collector, worker, client, thread, database, Redis."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from docsite import assets
from models.db import migrate
from tools.endurance.crash import workers as workers_of
from tools.testing import databases
from tools.testing.server_process import Running, running
from tools.testing.service import HOME, ROOT

pytestmark = pytest.mark.slow
TIMEOUT_SECONDS = 3
# The end of the processes themselves, on a busy machine.
SLACK_SECONDS = 1.5
# The script is larger than what the buffers of a connection hold.
SCRIPT = f"/docs/{assets.served_name('scalar.js')}".encode()
Obstacle = Callable[[Running], None]

# A request whose body does not arrive.
BODY = (
    b"POST /v1/music/%b/collections HTTP/1.1\r\nHost: studio\r\nX-API-Key: %b\r\n"
    b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
)

# A server whose only request never ends, in a thread that cannot be stopped.
STUCK_THREAD = """
import asyncio, contextlib, sys, time
from web.server import lifespan_state, memory_limiter, process, sockets


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        scope["state"][lifespan_state.MEMORY_LIMITER] = memory_limiter.MemoryLimiter(2**24, 2**24, str)
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
    else:
        print("asked", flush=True)
        await asyncio.to_thread(time.sleep, 60)

opened = sockets.listen("127.0.0.1", 0)
print(sockets.url("127.0.0.1", opened), flush=True)
options = {"timeout_graceful_shutdown": int(sys.argv[1])}
sys.exit(process.serve(application, opened, options, lambda: None, contextlib.nullcontext()))
"""


class SilentServer:
    """Accepts connections and never answers, or with `answer`, answers that."""

    def __init__(self, answer: bytes = b"") -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._answer = answer
        self._accepted: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._accepted.append(connection)
                if self._answer:
                    connection.sendall(self._answer)
                    connection.close()

    def close(self) -> None:
        self._listening.close()
        for connection in self._accepted:
            connection.close()


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    server.close()


@pytest.fixture
def nonsense() -> Iterator[SilentServer]:
    server = SilentServer(b"\xff\x00 nonsense\r\n" * 100)
    yield server
    server.close()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("collector", ["silent", "refusing", "nonsense"])
def test_collector_delays_neither_requests_nor_the_shutdown(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    silent: SilentServer,
    nonsense: SilentServer,
    collector: str,
    workers: int,
) -> None:
    address = {"silent": silent.address, "refusing": "127.0.0.1:9", "nonsense": nonsense.address}[collector]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{address}")
    with _server(tmp_path, workers) as server:
        assert [server.health("live") for _ in range(700)] == [200] * 700
        _require_end_in_time(server)


@pytest.mark.parametrize("workers", [1, 2])
def test_unfinished_response_does_not_delay_the_shutdown(tmp_path: Path, workers: int) -> None:
    with _server(tmp_path, workers) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET %b HTTP/1.1\r\nHost: studio\r\n\r\n" % SCRIPT)
        time.sleep(0.3)
        _require_end_in_time(server)


@pytest.mark.parametrize("workers", [1, 2])
def test_unfinished_body_does_not_delay_the_shutdown(tmp_path: Path, workers: int) -> None:
    with _server(tmp_path, workers) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(BODY % (HOME.encode(), server.key().encode()))
        time.sleep(0.3)
        _require_end_in_time(server)
        server.log.write_bytes(b"")  # how the server logs a request that it has cancelled is not tested here


def test_suspended_worker_does_not_delay_the_shutdown(tmp_path: Path) -> None:
    with _server(tmp_path, 2) as server:
        worker = workers_of(server)[0]
        worker.suspend()
        time.sleep(0.6)
        _require_end_in_time(server)
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, "the worker still holds the port"


def test_silent_redis_does_not_delay_the_shutdown(tmp_path: Path, silent: SilentServer) -> None:
    settings = {"RATE_LIMIT": "100/minute", "RATE_LIMIT_STORAGE": f"redis://{silent.address}/0"}
    with _server(tmp_path, 1, **settings) as server, server.client(server.key()) as client:
        assert client.get("collections").status_code == 200
        _require_end_in_time(server)


def test_frozen_database_does_not_delay_the_shutdown(tmp_path: Path) -> None:
    with databases.breakable_postgres() as postgres:
        migrate.upgrade(postgres.url)
        with running(postgres.url, tmp_path, SHUTDOWN_TIMEOUT_SECONDS=str(TIMEOUT_SECONDS)) as server:
            client = server.client(server.key())
            assert client.get("collections").status_code == 200
            postgres.freeze()
            try:
                threading.Thread(target=lambda: client.get("collections"), daemon=True).start()
                time.sleep(0.2)
                _require_end_in_time(server)
            finally:
                postgres.thaw()


def test_thread_that_never_ends_does_not_delay_the_shutdown() -> None:
    words = [sys.executable, "-c", STUCK_THREAD, str(TIMEOUT_SECONDS)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: studio\r\n\r\n")
            assert process.stdout.readline() == "asked\n"
            started = time.monotonic()
            process.terminate()
            assert process.wait(30) == 0, process.stderr.read()
        assert time.monotonic() - started <= TIMEOUT_SECONDS + SLACK_SECONDS


@contextlib.contextmanager
def _server(folder: Path, workers: int, **settings: str) -> Iterator[Running]:
    url = databases.sqlite_url(folder)
    migrate.upgrade(url)
    settings["SHUTDOWN_TIMEOUT_SECONDS"] = str(TIMEOUT_SECONDS)
    with running(url, folder, workers=workers, **settings) as server:
        yield server


def _require_end_in_time(server: Running) -> None:
    seconds = server.terminate()
    assert seconds <= TIMEOUT_SECONDS + SLACK_SECONDS, server.log_text()[-2000:]
