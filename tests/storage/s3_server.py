"""A server of S3 that verifies signatures: versitygw, built once from its Go module, on a folder of its own."""

from __future__ import annotations

import hashlib
import shutil
import signal
import socket
import subprocess
import time
from functools import cache
from pathlib import Path

import psutil
import pytest

from tools.testing.server_process import free_port
from tools.testing.service import ROOT

HOME = Path(__file__).parent
WORK = ROOT / "dist" / "third-party" / "s3"
BUCKET, KEY, SECRET = "audio", "tester", "the-secret-of-the-tests"
START_SECONDS = 30


class S3Server:
    """The server, with an empty bucket; it can be frozen, killed and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self._files, self._metadata = folder / "files", folder / "metadata"
        for made in (self._files / BUCKET, self._metadata):
            made.mkdir(parents=True)
        self._port = free_port()
        self._program = program()
        self.start()

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a client."""
        address = f"http://127.0.0.1:{self._port}"
        return {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_REGION": "us-east-1"}  # fmt: skip

    def start(self) -> None:
        where = ["--port", f"127.0.0.1:{self._port}", "posix", "--sidecar", str(self._metadata), str(self._files)]
        self._process = subprocess.Popen(
            [self._program, "--quiet", *where],
            env={"ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET},
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            assert self._process.poll() is None, "versitygw did not start"
            assert time.monotonic() < deadline, "versitygw does not listen"
            time.sleep(0.05)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        """Connections are accepted, and nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)
        while psutil.Process(self._process.pid).status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def files(self) -> list[Path]:
        """What lies in the bucket."""
        return [found for found in (self._files / BUCKET).rglob("*") if found.is_file()]


@cache
def program() -> Path:
    """The server's program, built when its lock has changed. Skips the test without Go."""
    if shutil.which("go") is None:
        pytest.skip("S3 needs go: it builds the server")
    WORK.mkdir(parents=True, exist_ok=True)
    for name in ("go.mod", "go.sum"):
        shutil.copy(HOME / name, WORK / name)
    digest = hashlib.sha256((WORK / "go.sum").read_bytes()).hexdigest()
    stamp = WORK / f"built-{digest[:16]}"
    if not stamp.exists():
        done = subprocess.run(
            ["go", "build", "-o", "bin/", "tool"], cwd=WORK, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-6000:]
        stamp.touch()
    return WORK / "bin" / "versitygw"
