"""The command line under test: in this process, in a subprocess, or on a terminal."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
Done = subprocess.CompletedProcess[str]


class Shell:
    """The command line with its own folder, database and environment."""

    def __init__(self, folder: Path, url: str) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith("MUSIC_STUDIO_")}
        self.url = url
        database = {
            "MUSIC_STUDIO_DATABASE_URL": url,
            "MUSIC_STUDIO_KEY_PEPPER": "pepper-of-the-tests-of-32-bytes-or-more",
            "MUSIC_STUDIO_DEMO_AUDIO": "tone",
        }
        self.environ = own | database | {"NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
        self.folder = folder

    def run(self, *words: str, **variables: str) -> Done:
        """Runs a command in this process, which saves the start of Python; not for servers."""
        with contextlib.chdir(self.folder), _environment(self.environ | variables):
            done = CliRunner().invoke(cli, words, catch_exceptions=False)
        return Done(words, done.exit_code, done.stdout, done.stderr)

    def start(self, *words: str, **variables: str) -> Done:
        """Runs a command in a subprocess."""
        return subprocess.run(
            [sys.executable, "-m", "cli", *words],
            cwd=self.folder,
            env=self.environ | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def on_terminal(self, *words: str, columns: int = 200, **variables: str) -> str:
        """The output of a command in a subprocess on a terminal of this width."""
        environ = self.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns)} | variables
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "cli", *words],
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            output = b"".join(_read(ours))
        os.close(ours)
        assert process.returncode == 0, output
        return output.decode().replace("\r\n", "\n")

    def text(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.text(*words, "--json"))

    def error(self, *words: str, **variables: str) -> str:
        """The one-sentence error of a command that must fail."""
        done = self.run(*words, **variables)
        assert done.returncode == 1, f"{done.returncode}: {done.stderr}"
        assert re.fullmatch(r"music-studio: [^\n]+\.\n", done.stderr), done.stderr
        assert done.stdout == ""
        return done.stderr

    @contextlib.contextmanager
    def serving(self, *words: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
        """URL and process of a running server, which must then exit with status 0 on SIGTERM."""
        out, log = self.folder / "stdout", self.folder / "stderr"
        with out.open("wb") as output, log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli", *words],
                cwd=self.folder,
                env=self.environ,
                stdout=output,
                stderr=errors,
            )
        try:
            yield _announced_url(process, log), process
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, log.read_text()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _read(terminal: int) -> Iterator[bytes]:
    # Linux raises EIO once the last process has closed the terminal.
    with contextlib.suppress(OSError):
        while chunk := os.read(terminal, 65536):
            yield chunk


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Sets the environment, and restores it, because options of a command are written to it."""
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(variables)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _announced_url(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"^Music Studio listens on (\S+)$", log.read_text(), re.MULTILINE):
            return found[1]
        time.sleep(0.05)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


def get(url: str, key: str) -> httpx.Response:
    return httpx.get(url, headers={"X-API-Key": key}, timeout=30, trust_env=False)
