"""Specmatic, run as the guide says, answers with the examples of the contract and refuses what it does not allow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import app
from mock.accounts import SECRETS
from settings import Settings
from tests.third_party import guide
from tools.testing.thread_server import serving
from web.contract import document as contract
from web.contract import reading

PORT = "9000"
COLLECTIONS = f"http://127.0.0.1:{PORT}/music/org_abc123/collections"
HEADERS = {"X-API-Key": SECRETS["alice"]}

pytestmark = pytest.mark.skipif(shutil.which("java") is None, reason="specmatic needs java")


@pytest.fixture(scope="module")
def commands() -> Iterator[list[str]]:
    """The commands of the section about Specmatic, of a server that runs meanwhile."""
    with serving(app.create_mock(Settings(rate_limit="off"))) as url:
        yield guide.commands(url, "Specmatic")


@pytest.fixture(scope="module", autouse=True)
def stub(commands: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with guide.running(commands[0], "Press Ctrl + C to stop", tmp_path_factory.mktemp("specmatic") / "log"):
        yield


def _examples() -> dict[str, tuple[Any, Any]]:
    """The examples of the body and of the response that create_collection has under one name."""
    document = contract.document()
    [found] = [operation for operation in reading.operations(document) if operation.id == "create_collection"]
    sent = reading.examples(found.body or {}, document)
    answered = reading.examples(found.by_status[201]["content"][reading.JSON], document)
    return {name: (sent[name], answered[name]) for name in sent.keys() & answered.keys()}


def test_request_of_the_guide_gets_the_answer_of_its_example(commands: list[str]) -> None:
    start, call = commands
    assert f"--port {PORT}" in start
    done = subprocess.run(
        ["bash", "-c", call], env=os.environ | {"API_KEY": SECRETS["alice"]}, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) in [answer for _, answer in _examples().values()]


def test_paired_examples_are_requests_and_their_answers() -> None:
    assert len(_examples()) > 1
    for name, (body, answer) in _examples().items():
        response = httpx.post(COLLECTIONS, json=body, headers=HEADERS, trust_env=False)
        assert (response.status_code, response.json()) == (201, answer), name


def test_other_requests_get_values_of_the_right_types() -> None:
    page = httpx.get(COLLECTIONS, headers=HEADERS, trust_env=False).json()
    assert isinstance(page["limit"], int)
    assert {type(item["name"]) for item in page["items"]} <= {str}


@pytest.mark.parametrize(("body", "headers"), [({"nme": "Focus"}, HEADERS), ({"name": "Focus"}, {})])
def test_request_that_the_contract_does_not_allow_is_refused(body: dict[str, str], headers: dict[str, str]) -> None:
    response = httpx.post(COLLECTIONS, json=body, headers=headers, trust_env=False)
    assert response.status_code == 400
    assert "R2001: Missing required property" in response.text
