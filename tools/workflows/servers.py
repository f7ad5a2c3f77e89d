"""Servers with the demo inside, for as long as they are needed: the service on a new database, and the mock."""

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
ANNOUNCED = " listens on "


class Served(NamedTuple):
    """A server's address, and what the workflows are given there."""

    url: str
    inputs: dict[str, str]


@contextmanager
def mocked() -> Iterator[Served]:
    """The mock. Raises RuntimeError when it does not start."""
    with _running(["mock", "--port", "0"]) as url:
        yield Served(url, inputs(SECRETS["alice"]))


@contextmanager
def stored() -> Iterator[Served]:
    """The service on a new SQLite database. Raises RuntimeError when it does not start."""
    with tempfile.TemporaryDirectory() as folder:
        place = ["--database-url", f"sqlite:///{folder}/music-studio.db"]
        _printed(["migrate", *place])
        keys = json.loads(_printed(["demo", "--json", *place]))
        with _running(["serve", "--port", "0", *place]) as url:
            yield Served(url, inputs(keys["users"]["alice"]["api_key"]))


def inputs(secret: str) -> dict[str, str]:
    """The inputs of the workflows in the demo's organization."""
    (first, *_), (second, *_), *_ = demo.TRACKS
    organization = demo.ORGANIZATION
    return {"api_key": secret, "organization_id": organization, "first_track_id": first, "second_track_id": second}


def _printed(words: Sequence[str]) -> str:
    return subprocess.run([*CLI, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


@contextmanager
def _running(words: Sequence[str]) -> Iterator[str]:
    # A line for each request would fill the pipe, from which nothing is read once the server has begun.
    quiet = os.environ | {"MUSIC_STUDIO_LOG_LEVEL": "error"}
    with subprocess.Popen(
        [*CLI, *words], cwd=ROOT, env=quiet, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            yield _address(process)
        finally:
            process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    said = ""
    for line in process.stdout or ():
        said += line
        if ANNOUNCED in line:
            return line.partition(ANNOUNCED)[2].strip()
    raise RuntimeError(f"The server did not start:\n{said}")
