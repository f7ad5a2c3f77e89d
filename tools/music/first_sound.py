"""Measures how long it takes from the request for a piece of 30 s until its first bytes are heard.

`python -m tools.music.first_sound`: `music-studio up` on a new database, asked as the README asks.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from tools.endurance.report import at_most, show

ROOT = Path(__file__).resolve().parents[2]
WISH = {"engine": "studio", "prompt": "rain on a window, 70 bpm, piano", "duration_seconds": 30}
PIECES, SECONDS, LONGEST = 5, 15.0, 120.0
POLL_SECONDS = 0.1


@contextlib.contextmanager
def _service(folder: Path) -> Iterator[httpx.Client]:
    """A client with the demo key of a service that has just started."""
    command = [sys.executable, "-m", "cli", "up", "--port", "0", "--json"]
    environ = {"PYTHONPATH": str(ROOT), "PATH": os.defpath, "MUSIC_STUDIO_LOG_LEVEL": "warning"}
    with subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            facts = _facts(process)
            headers = {"X-API-Key": facts["demo"]["users"]["alice"]["api_key"]}
            with httpx.Client(base_url=f"{facts['url']}/v1/music/org_abc123", headers=headers) as client:
                yield client
        finally:
            process.terminate()


def _facts(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    lines = []
    while line := process.stdout.readline():
        lines.append(line)
        if line == "}\n":
            break
    facts: dict[str, Any] = json.loads("".join(lines))
    return facts


def first_sound(client: httpx.Client) -> float:
    """Seconds from the request until the first bytes of the audio are there."""
    started = time.monotonic()
    job = client.post("generations", json=WISH).raise_for_status().json()
    while job["status"] not in {"succeeded", "failed", "refused"}:
        if time.monotonic() > started + LONGEST:
            raise TimeoutError(job)
        time.sleep(POLL_SECONDS)
        job = client.get(f"generations/{job['id']}").raise_for_status().json()
    with client.stream("GET", _audio(job)) as audio:
        next(audio.raise_for_status().iter_bytes())
    return time.monotonic() - started


def _audio(job: dict[str, Any]) -> str:
    if job["status"] != "succeeded":
        raise RuntimeError(job)
    url: str = job["playback_url"]
    return url


def main() -> int:
    """The exit status: 0 when every piece was heard in time."""
    with tempfile.TemporaryDirectory() as folder, _service(Path(folder)) as client:
        seconds = [first_sound(client) for _ in range(PIECES)]
    figures = [
        at_most("first request of a new service until sound", "sqlite", seconds[0], SECONDS, " s"),
        at_most(f"slowest of {PIECES - 1} later ones", "sqlite", max(seconds[1:]), SECONDS, " s"),
    ]
    show(figures, Console())
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
