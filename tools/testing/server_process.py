"""A server process on a fixed port that can be killed, paused and restarted."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import psutil

from models import keys, organizations
from models.db import migrate
from models.db.database import Database
from tools.testing import databases
from tools.testing.service import ALICE, FAULTS, HOME, PEPPER, READ, ROOT, WRITE

START_SECONDS = 90


class Running:
    """`music-studio serve` in its own process group, always on the same port."""

    def __init__(
        self, database_url: str, folder: Path, *, workers: int = 1, tree: Path | str = ROOT, **settings: str
    ) -> None:
        self.database_url = database_url
        self._tree = tree
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"server-{self.port}.log"
        self._settings = {"RATE_LIMIT": "off", "WORKERS": str(workers), "WORKERS_STUDIO": "0"} | settings
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("MUSIC_STUDIO_")}
        audio = (self.log.parent / "audio").as_uri()
        own_files = {"DATABASE_URL": self.database_url, "AUDIO_URL": audio}
        given = own_files | {"KEY_PEPPER": PEPPER, "LOG_FORMAT": "json"} | self._settings
        with self.log.open("ab") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "cli", "serve", "--port", str(self.port)],
                cwd=self._tree,
                env=own | {f"MUSIC_STUDIO_{name}": value for name, value in given.items()},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def start(self) -> float:
        """Starts the server again; returns the seconds until it is ready."""
        started = time.monotonic()
        self.process = self._started()
        self.await_ready()
        return time.monotonic() - started

    def await_ready(self, timeout: float = START_SECONDS) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.health("ready") == 200:
                return
            assert self.process.poll() is None, f"the server ended:\n{self.log_text()[-4000:]}"
            time.sleep(0.02)
        raise AssertionError(f"the server was not ready within {timeout:g} s:\n{self.log_text()[-4000:]}")

    def health(self, name: str) -> int | None:
        """The status of `live` or `ready`; None without a response."""
        try:
            return httpx.get(f"{self.url}/v1/health/{name}", timeout=5, trust_env=False, verify=False).status_code  # noqa: S501
        except httpx.TransportError:
            return None

    def kill(self) -> None:
        """Kills the whole process group with SIGKILL."""
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def pause(self, seconds: float) -> None:
        """Suspends the process group for so many seconds."""
        self.signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.signal(signal.SIGCONT)

    def terminate(self, timeout: float = 30) -> float:
        """Sends SIGTERM; returns the seconds until the exit, which must have status 0."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout)
        assert status == 0, f"the server ended with status {status}:\n{self.log_text()[-4000:]}"
        return time.monotonic() - started

    def file_size_limited(self, count: int) -> contextlib.AbstractContextManager[None]:
        """Limits the file size (RLIMIT_FSIZE), so that writes fail as on a full disk."""
        return self._limited(resource.RLIMIT_FSIZE, count)

    def files_limited(self, more: int) -> contextlib.AbstractContextManager[None]:
        """Limits the number of further open files and connections (RLIMIT_NOFILE)."""
        return self._limited(resource.RLIMIT_NOFILE, psutil.Process(self.process.pid).num_fds() + more)

    @contextlib.contextmanager
    def _limited(self, what: int, count: int) -> Iterator[None]:
        before = resource.prlimit(self.process.pid, what)
        resource.prlimit(self.process.pid, what, (count, before[1]))
        try:
            yield
        finally:
            resource.prlimit(self.process.pid, what, before)

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def close(self) -> None:
        """Stops the server, paused or not; its log must hold no fault."""
        self.signal(signal.SIGCONT)
        if self.process.poll() is None:
            self.terminate()
        assert not (found := self.faults()), "the server's log holds faults:\n" + "\n".join(found)[:8000]

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def await_log(self, text: str, seconds: float = 5) -> str:
        """The log once it contains `text`, because lines are written after the response; or as it is in the end."""
        deadline = time.monotonic() + seconds
        while text not in (log := self.log_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return log

    def faults(self) -> list[str]:
        return [line for line in self.log_text().splitlines() if any(fault in line for fault in FAULTS)]

    def key(self, user: str = ALICE) -> str:
        """The secret of a new key in organization HOME."""
        return new_key(self.database_url, user)

    def client(self, secret: str | None = None, seconds: float = 10) -> httpx.Client:
        headers = {} if secret is None else {"X-API-Key": secret}
        base = f"{self.url}/v1/music/{HOME}/"
        return httpx.Client(base_url=base, headers=headers, timeout=seconds, trust_env=False, verify=False)  # noqa: S501


@contextlib.contextmanager
def running(
    database_url: str, folder: Path, *, workers: int = 1, tree: Path | str = ROOT, **settings: str
) -> Iterator[Running]:
    """A ready server of this checkout, or of another one, stopped afterwards."""
    server = Running(database_url, folder, workers=workers, tree=tree, **settings)
    try:
        server.await_ready()
        yield server
        server.close()
    finally:
        server.signal(signal.SIGKILL)
        server.process.wait(10)


@contextlib.contextmanager
def fresh(kind: str, folder: Path, workers: int = 1) -> Iterator[Running]:
    """A server on a new, migrated database."""
    with databases.fresh(kind, folder) as url:
        migrate.upgrade(url)
        with running(url, folder, workers=workers) as server:
            yield server


def new_key(database_url: str, user: str = ALICE) -> str:
    """The secret of a new key; its user joins the organization."""
    with connected(database_url):
        organizations.join(HOME, user)
        return keys.make(HOME, user, (READ, WRITE), pepper=PEPPER.encode())[1]


def connected(database_url: str) -> Database:
    """Makes the database the current one of `models` in this process: `with connected(url):`."""
    return Database(database_url, pool_size=2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(database_url: str) -> Mapping[str, str]:
    """Environment of a command on that database."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MUSIC_STUDIO_")}
    given = {"DATABASE_URL": database_url, "KEY_PEPPER": PEPPER, "WORKERS_STUDIO": "0", "DEMO_AUDIO": "tone"}
    return own | {f"MUSIC_STUDIO_{name}": value for name, value in given.items()}
