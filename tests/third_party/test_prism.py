"""Prism, run as the guide says, passes the service's answers on and reports what the contract does not allow."""

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

import app
from mock.accounts import SECRETS
from settings import Settings
from tests.third_party.toolchains import BIN, prepared
from tools.testing.thread_server import serving

GUIDE = "/docs/api-reference/music/testing.md"
PORT = "4010"
START_SECONDS = 60


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(app.create_mock(Settings(rate_limit="off"))) as served:
        yield served


@pytest.fixture(scope="module")
def commands(url: str) -> list[str]:
    """The commands of the section about Prism."""
    guide = httpx.get(url + GUIDE, trust_env=False).text
    return re.findall(r"```sh\n([\s\S]*?)\n```", guide.partition("\n## Prism\n")[2].partition("\n## ")[0])


@pytest.fixture(scope="module")
def proxy(commands: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The log of the proxy, which runs meanwhile."""
    log = tmp_path_factory.mktemp("prism") / "log"
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-ec", commands[0]], cwd=prepared("node").folder, env=environment,
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while "Prism is listening" not in log.read_text() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    yield log
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def test_the_guide_starts_a_proxy_and_calls_it(commands: list[str]) -> None:
    start, call = commands
    assert f"--port {PORT}" in start
    assert f"http://127.0.0.1:{PORT}/" in call


def test_an_answer_of_the_service_passes(commands: list[str], proxy: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", commands[1]], env=os.environ | {"API_KEY": SECRETS["alice"]}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert '"name":"Focus Sessions"' in done.stdout, proxy.read_text()


def test_a_request_that_the_contract_does_not_allow_is_reported(proxy: Path) -> None:
    headers = {"X-API-Key": SECRETS["alice"]}
    address = f"http://127.0.0.1:{PORT}/music/org_abc123/collections?limit=1000"
    answer = httpx.get(address, headers=headers, trust_env=False)
    assert answer.status_code == 422
    assert "stoplight.io/prism/errors" in answer.text
