"""Standard output and standard error that are closed, full, or open and never read: the server serves and stops."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from models.db import migrate
from tools.testing import databases
from tools.testing.server_process import START_SECONDS, environment, free_port
from tools.testing.service import ROOT

pytestmark = pytest.mark.slow
TIMEOUT_SECONDS = 4
PIPE_BYTES = 65_536
# More requests than lines of theirs fit into the pipe.
REQUESTS = 600


class Program:
    """A server whose standard streams are given as the shell writes them."""

    def __init__(self, folder: Path, redirections: str, *, workers: int = 1, stderr: int = subprocess.DEVNULL) -> None:
        self.port = free_port()
        url = databases.sqlite_url(folder)
        migrate.upgrade(url)
        settings = {
            "MUSIC_STUDIO_RATE_LIMIT": "off",
            "MUSIC_STUDIO_LOG_FORMAT": "json",
            "MUSIC_STUDIO_SHUTDOWN_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
        }
        words = f"exec {sys.executable} -m cli up --port {self.port} --workers {workers} {redirections}"
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", words], cwd=ROOT, env={**environment(url), **settings}, stderr=stderr,
            stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def live(self) -> int | None:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/v1/health/live", timeout=5, trust_env=False).status_code
        except httpx.TransportError:
            return None

    def await_live(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.live() != 200:
            assert self.process.poll() is None, f"the server ended with status {self.process.returncode}"
            assert time.monotonic() < deadline, "the server does not serve"
            time.sleep(0.05)

    def require_end_in_time(self) -> None:
        started = time.monotonic()
        self.process.terminate()
        assert self.process.wait(30) == 0
        assert time.monotonic() - started <= TIMEOUT_SECONDS + 1


@contextlib.contextmanager
def _serving(program: Program) -> Iterator[Program]:
    try:
        program.await_live()
        yield program
        program.require_end_in_time()
    finally:
        program.process.kill()
        program.process.wait(10)


@pytest.mark.parametrize(
    ("redirections", "files"),
    [
        ("2>/dev/full >/dev/full", ["/dev/null", "/dev/full", "/dev/full"]),
        ("2>&- >&- <&-", ["/dev/null"] * 3),
        (">&-", ["/dev/null"] * 3),
    ],
)
def test_server_serves_without_usable_streams(tmp_path: Path, redirections: str, files: list[str]) -> None:
    with _serving(Program(tmp_path, redirections)) as program:
        # Any other file, such as the database, would get what is printed.
        assert _standard_files(program.process.pid) == files


def test_workers_have_standard_streams_when_those_of_the_supervisor_are_closed(tmp_path: Path) -> None:
    with _serving(Program(tmp_path, "2>&- >&- <&-", workers=2)) as program:
        children = psutil.Process(program.process.pid).children()
        workers = [child.pid for child in children if _is_web_worker(child)]
        assert [_standard_files(pid) for pid in workers] == [["/dev/null"] * 3] * 2


def _is_web_worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended, a zombie too
        return "spawn_main" in " ".join(process.cmdline())
    return False


def _standard_files(pid: int) -> list[str]:
    return [str(Path(f"/proc/{pid}/fd/{number}").readlink()) for number in range(3)]


@pytest.mark.parametrize("workers", [1, 2])
def test_log_that_nobody_reads_stops_neither_requests_nor_the_shutdown(tmp_path: Path, workers: int) -> None:
    read, write = os.pipe()
    program = Program(tmp_path, "", workers=workers, stderr=write)
    os.close(write)
    with _serving(program), httpx.Client(timeout=5, trust_env=False) as client:
        url = f"http://127.0.0.1:{program.port}/v1/health/live"
        statuses = [client.get(url).status_code for _ in range(REQUESTS * workers)]
        assert statuses == [200] * REQUESTS * workers
    text = os.read(read, 2 * PIPE_BYTES)
    os.close(read)
    # Each write of up to 4 KiB takes a page of the pipe.
    assert len(text) > PIPE_BYTES / 2, "the pipe was not full, so the test proves nothing"


def test_descriptors_stay_open_when_the_streams_are_replaced() -> None:
    program = """
import gc, os, sys
from web.telemetry import standard_streams  # structlog keeps the streams that it finds
sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
standard_streams.replace()
gc.collect()
print(os.fstat(1).st_ino > 0, os.fstat(2).st_ino > 0)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "True True\n", done.stderr
