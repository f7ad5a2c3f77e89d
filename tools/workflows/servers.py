"""Runs the service on a new database, or the mock, with demo data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mock.accounts import SECRETS
from ops import demo

ROOT = Path(__file__).parents[2]
CLI = (sys.executable, "-m", "cli")
READY_TEXT = " listens on "
# The audio of the demo, which nobody hears here, at once.
TONES = {"MUSIC_STUDIO_DEMO_AUDIO": "tone"}


class Served(NamedTuple):
    """A server's URL, and the inputs of the workflows."""

    url: str
    inputs: dict[str, str]


@contextmanager
def running_mock() -> Iterator[Served]:
    """Runs the mock. Raises RuntimeError if it does not start."""
    with _running(["mock", "--port", "0"]) as url:
        yield Served(url, inputs(SECRETS["alice"], SECRETS["bob"]))


@contextmanager
def running_service() -> Iterator[Served]:
    """Runs the service on a new SQLite database, with a process that makes music.

    Raises RuntimeError if it does not start.
    """
    with tempfile.TemporaryDirectory() as folder:
        database = ["--database-url", f"sqlite:///{folder}/music-studio.db"]
        _output(["migrate", *database])
        keys = json.loads(_output(["demo", "--json", *database]))
        with _running(["serve", "--port", "0", *database], studio_workers=1) as url:
            alice, bob = (keys["users"][name]["api_key"] for name in ("alice", "bob"))
            yield Served(url, inputs(alice, bob))


def inputs(secret: str, guest: str) -> dict[str, str]:
    """The inputs of the workflows, in the demo's organization; `guest` is the key of another user."""
    first, second, *_, spare = (piece.track_id for piece in demo.TRACKS)
    return {
        "api_key": secret,
        "guest_api_key": guest,
        "organization_id": demo.ORGANIZATION,
        "first_track_id": first,
        "second_track_id": second,
        "spare_track_id": spare,
    }


def _output(arguments: Sequence[str]) -> str:
    return subprocess.run(
        [*CLI, *arguments], cwd=ROOT, env=os.environ | TONES, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


@contextmanager
def _running(arguments: Sequence[str], studio_workers: int = 0) -> Iterator[str]:
    # Nothing reads the pipe once the server is ready, so a line per request would fill it.
    quiet = os.environ | {"MUSIC_STUDIO_LOG_LEVEL": "error", "MUSIC_STUDIO_WORKERS_STUDIO": str(studio_workers)}
    with subprocess.Popen(
        [*CLI, *arguments], cwd=ROOT, env=quiet, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            yield _address(process)
        finally:
            process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    output = ""
    for line in process.stdout or ():
        output += line
        if READY_TEXT in line:
            return line.partition(READY_TEXT)[2].strip()
    raise RuntimeError(f"The server did not start:\n{output}")
