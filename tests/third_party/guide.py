"""The guide about testing as others follow it: the commands of a section, and one that runs until it is stopped."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.third_party.toolchains import BIN, prepared

PAGE = "/docs/api-reference/music/testing.md"
START_SECONDS = 60


def commands(url: str, section: str) -> list[str]:
    """The commands of a section of the guide that a server has."""
    guide = httpx.get(url + PAGE, trust_env=False).text
    text = guide.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n([\s\S]*?)\n```", text)


@contextlib.contextmanager
def running(command: str, ready: str, log: Path) -> Iterator[Path]:
    """Runs a command where npx finds its package, until the end of the context; its log has said `ready`."""
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-ec", command], cwd=prepared("node").folder, env=environment,
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while ready not in log.read_text() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    try:
        if ready not in log.read_text():
            pytest.fail(log.read_text())
        yield log
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()
