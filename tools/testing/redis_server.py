"""A Redis server for a test, which can be stopped, frozen and started again."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

START_SECONDS = 10


class RedisServer:
    """A Redis without persistence, on a Unix socket."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self.url = f"redis+unix://{self._socket}"
        self.start()

    def start(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("redis-server is not installed: make test installs it where apt-get is")
        settings = ("--port", "0", "--unixsocket", str(self._socket), "--save", "", "--appendonly", "no")
        self._process = subprocess.Popen([program, *settings], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self._socket.exists():
            assert time.monotonic() < deadline, "redis-server did not start"
            time.sleep(0.02)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)
        self._socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Suspends the process: connections are accepted and get no response."""
        self._process.send_signal(signal.SIGSTOP)
