"""Prism, run as the guide says, passes the service's answers on and reports what the contract does not allow."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import app
from mock.accounts import SECRETS
from settings import Settings
from tests.third_party import guide
from tools.testing.thread_server import serving

PORT = "4010"


@pytest.fixture(scope="module")
def commands() -> Iterator[list[str]]:
    """The commands of the section about Prism, of a server that runs meanwhile."""
    with serving(app.create_mock(Settings(rate_limit="off"))) as url:
        yield guide.commands(url, "Prism")


@pytest.fixture(scope="module")
def proxy(commands: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The log of the proxy, which runs meanwhile."""
    with guide.running(commands[0], "Prism is listening", tmp_path_factory.mktemp("prism") / "log") as log:
        yield log


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
