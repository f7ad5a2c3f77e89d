"""Workers for tests: `music-studio work` in processes that can be killed, stopped and continued."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from models.audio_store import AudioStore
from models.db.database import Database
from tools.testing import jobs
from tools.testing.server_process import environment
from tools.testing.service import ROOT

SECONDS = 600.0
RATE = 8000
# What a command needs to be an engine of its own: `cat` gives a finished second, `sleep` stays at work.
ENGINES = """
[engines.cat]
command = ["cat", "{tone}"]
[engines.slow]
command = ["sh", "-c", "sleep 600"]
max_duration_seconds = 600
[engines.second]
command = ["sh", "-c", "sleep 1; cat '{tone}'"]
modes = ["creation", "focus"]
[engines.broken]
command = ["sh", "-c", "echo no model >&2; exit 3"]
[engines.unwilling]
command = ["sh", "-c", "echo No vocals. >&2; exit 77"]
"""


class Studio:
    """A database, an audio store and a folder, with workers on them."""

    def __init__(self, database_url: str, folder: Path, *, audio_url: str = "", **settings: str) -> None:
        self.folder = folder
        self.database = Database(database_url, pool_size=10)
        self.audio_url = audio_url or (folder / "audio").as_uri()
        self.log = folder / "workers.log"
        (folder / "engines.toml").write_text(ENGINES.format(tone=_tone(folder)), encoding="utf-8")
        given = {
            "AUDIO_URL": self.audio_url,
            "COMMAND_ENGINES": str(folder / "engines.toml"),
            "WORKER_DIR": str(folder / "workers"),
            "MIN_FREE_MIB": "0",
            "LOG_FORMAT": "json",
        } | settings
        self.environ = {**environment(database_url), **{f"MUSIC_STUDIO_{name}": text for name, text in given.items()}}
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, count: int = 1, **settings: str) -> list[subprocess.Popen[bytes]]:
        """Starts workers; does not wait for them."""
        more = {f"MUSIC_STUDIO_{name}": text for name, text in settings.items()}
        with self.log.open("ab") as log:
            new = [
                subprocess.Popen(
                    [sys.executable, "-m", "cli", "work"], cwd=ROOT, env=self.environ | more,
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )
                for _ in range(count)
            ]  # fmt: skip
        self.processes += new
        return new

    def await_(self, condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
        """What the condition returns once it is true, asked with the database."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            with self.database.use():
                if found := condition():
                    return found
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds:g} s:\n{self.text()[-4000:]}")

    def await_statuses(self, seconds: float = SECONDS, **counts: int) -> None:
        """Waits until the jobs have these statuses and no others."""
        self.await_(lambda: jobs.statuses() == counts, seconds)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """SIGTERM; the worker must end with status 0."""
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0, self.text()[-4000:]
        self.processes.remove(process)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL."""
        process.kill()
        process.wait()
        self.processes.remove(process)

    def text(self) -> str:
        """What the workers have logged."""
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def objects(self) -> Sequence[str]:
        """The names in the audio store."""
        return [found.name for found in AudioStore(self.audio_url).list()]

    def close(self) -> None:
        """Ends what still runs."""
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        self.database.close()

    def spooled(self) -> list[str]:
        """Temporary files that workers hold."""
        return [str(found) for found in (self.folder / "workers").glob("*/spool/*")]


def _tone(folder: Path) -> Path:
    path = folder / "tone.wav"
    values = 0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    soundfile.write(path, values.astype(np.float32), RATE, format="WAV")
    return path
