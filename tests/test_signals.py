"""Signals of operators: none ends the server or cuts a request, except those that stop it."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from models.db import migrate
from tools.endurance.crash import workers as workers_of
from tools.testing import databases
from tools.testing.server_process import Running, environment, free_port, running
from tools.testing.service import HOME, ROOT

pytestmark = pytest.mark.slow
OF_OPERATORS = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGTTIN, signal.SIGTTOU]
SECONDS = 20


@pytest.mark.parametrize("workers", [1, 2])
def test_no_signal_of_an_operator_cuts_a_request(tmp_path: Path, workers: int) -> None:
    with _server(tmp_path, workers) as server, server.client(server.key()) as client:
        content = _slow_body(server, OF_OPERATORS)
        response = client.post("collections", content=content, headers={"Content-Type": "application/json"})
        assert response.status_code == 201, response.text
        assert server.process.poll() is None
        ignored = ["SIGHUP", "SIGUSR1", "SIGUSR2"] if workers == 1 else ["SIGUSR1", "SIGUSR2"]
        assert [name for name in ignored if f'"signal":"{name}"' not in server.await_log("SIGUSR2")] == []


def _slow_body(server: Running, numbers: list[signal.Signals]) -> Iterator[bytes]:
    """A body that takes as long as it takes to send all signals."""
    yield b'{"name": '
    for number in numbers:
        time.sleep(0.3)
        server.process.send_signal(number)
    time.sleep(0.3)
    yield b'"Slow"}'


def test_worker_ignores_signals_meant_for_the_supervisor(tmp_path: Path) -> None:
    with _server(tmp_path, 2) as server:
        server.await_log("Music Studio listens on")  # all workers serve
        before = workers_of(server)
        for number in OF_OPERATORS:
            before[0].send_signal(number)
        time.sleep(1)
        assert workers_of(server) == before
        assert "send it to the supervisor" in server.await_log("send it to the supervisor")


def test_sighup_renews_the_workers_without_a_lost_request(tmp_path: Path) -> None:
    with _server(tmp_path, 2) as server:
        before = workers_of(server)
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + SECONDS
        while len(workers := workers_of(server)) != 2 or set(workers) & set(before):
            assert time.monotonic() < deadline, "the workers were not renewed"
            assert server.health("live") == 200
            time.sleep(0.05)


def test_sigttin_and_sigttou_change_the_number_of_workers(tmp_path: Path) -> None:
    with _server(tmp_path, 2) as server:
        for number, expected in ((signal.SIGTTIN, 3), (signal.SIGTTOU, 2), (signal.SIGTTOU, 1), (signal.SIGTTOU, 1)):
            server.process.send_signal(number)
            deadline = time.monotonic() + SECONDS
            while len(workers_of(server)) != expected:
                assert time.monotonic() < deadline, f"{expected} workers expected, {workers_of(server)} found"
                time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_sigint_and_sigquit_stop_the_server_gracefully(tmp_path: Path, number: signal.Signals, workers: int) -> None:
    with _server(tmp_path, workers) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.settimeout(10)
        client.sendall(f"GET /v1/music/{HOME}/collections HTTP/1.1\r\nHost: studio\r\nX-API-".encode())
        time.sleep(0.3)
        server.process.send_signal(number)
        time.sleep(0.3)
        client.sendall(b"Key: none\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 401"
        client.close()
        assert server.process.wait(SECONDS) == 0


def test_stop_is_not_delayed_by_a_renewal(tmp_path: Path) -> None:
    with _server(tmp_path, 2) as server:
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert server.terminate() < SECONDS


@pytest.mark.parametrize("workers", [1, 2])
def test_server_stops_when_its_terminal_is_closed(tmp_path: Path, workers: int) -> None:
    ours, theirs = pty.openpty()
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    port = str(free_port())
    words = ["setsid", "--ctty", sys.executable, "-m", "cli", "serve", "--port", port, "--workers", str(workers)]
    process = subprocess.Popen(words, cwd=ROOT, env=environment(url), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    found = b""
    while b"listens on" not in found:
        found += os.read(ours, 4096)
    everyone = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
    os.close(ours)  # the terminal's window is closed
    assert process.wait(SECONDS) == 0
    assert not psutil.wait_procs(everyone, SECONDS)[1]


def _server(folder: Path, workers: int) -> AbstractContextManager[Running]:
    url = databases.sqlite_url(folder)
    migrate.upgrade(url)
    return running(url, folder, workers=workers)
