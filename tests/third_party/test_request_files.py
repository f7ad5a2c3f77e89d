"""The Postman collection and the `.http` file of a release run against a server with the demo data."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.third_party.toolchains import RUNNERS, Toolchain
from tools.release import __main__ as release
from tools.release import requests
from tools.testing.service import Services, operations
from web.contract import document

TIMEOUT_SECONDS = 120
# Their addresses are secrets, of which the contract has no valid example.
WITHOUT_EXAMPLE = {"get_audio", "get_shared_page", "get_shared_audio"}


@pytest.fixture(scope="module")
def runners() -> Toolchain:
    RUNNERS.prepare()
    return RUNNERS


@pytest.fixture
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL of a server with fresh demo data, and alice's key."""
    services = Services(tmp_path_factory.mktemp("services"))
    server = services.start(services.fresh_database("sqlite"))
    yield server.url, server.load_demo()["alice"]
    services.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("release")
    release.write_requests(made)
    return made


def _run(runners: Toolchain, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*runners.clients[name], *words]
    environment = os.environ | {"NO_COLOR": "1", "NO_UPDATE_NOTIFIER": "1"}
    return subprocess.run(
        command,
        cwd=runners.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def test_every_operation_has_a_request() -> None:
    contract = document.document()
    collection, text = requests.postman(contract), requests.http_file(contract)
    names = [item["name"] for folder in collection["item"] for item in folder["item"]]
    wanted = {operation.id for operation in operations()} - WITHOUT_EXAMPLE
    assert len(names) == len(set(names)) == len(wanted)
    assert {line.removeprefix("# @name ") for line in text.splitlines() if line.startswith("# @name ")} == wanted


def test_the_postman_collection_runs(runners: Toolchain, folder: Path, demo: tuple[str, str], tmp_path: Path) -> None:
    url, key = demo
    report = tmp_path / "report.json"
    variables = ("--env-var", f"{requests.BASE_URL}={url}", "--env-var", f"{requests.API_KEY}={key}")
    output = ("--reporters", "cli,json", "--reporter-json-export", str(report), "--ignore-redirects")
    done = _run(runners, "newman", str(folder / "music-studio.postman_collection.json"), *variables, *output)
    assert done.returncode == 0, done.stdout + done.stderr
    run: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))["run"]
    wanted = len(list(operations())) - len(WITHOUT_EXAMPLE)
    assert (run["stats"]["requests"], run["stats"]["assertions"]) == (
        {"total": wanted, "pending": 0, "failed": 0},
        {"total": wanted, "pending": 0, "failed": 0},
    )


def test_the_postman_collection_notices_a_refusal(runners: Toolchain, folder: Path, demo: tuple[str, str]) -> None:
    variables = ("--env-var", f"{requests.BASE_URL}={demo[0]}", "--env-var", f"{requests.API_KEY}=wrong")
    done = _run(runners, "newman", str(folder / "music-studio.postman_collection.json"), *variables)
    assert done.returncode == 1
    assert "expected 401 to be one of" in done.stdout


def test_the_http_file_runs(runners: Toolchain, folder: Path, demo: tuple[str, str]) -> None:
    url, key = demo
    text = (folder / "music-studio.http").read_text(encoding="utf-8")
    text = text.replace(f"@{requests.BASE_URL} = {requests.LOCAL}", f"@{requests.BASE_URL} = {url}")
    file = runners.folder / "music-studio.http"  # httpyac takes files below the current folder
    file.write_text(text.replace(f"@{requests.API_KEY} = ", f"@{requests.API_KEY} = {key}"), encoding="utf-8")
    done = _run(runners, "httpyac", file.name, "--all", "--json", "--output", "short")
    assert done.returncode == 0, done.stdout + done.stderr
    sent = json.loads(done.stdout)["requests"]
    documented = {operation.id: {*operation.by_status} for operation in operations()}
    statuses = {one["name"]: one["response"]["statusCode"] for one in sent if one.get("response")}
    assert statuses.keys() == documented.keys() - WITHOUT_EXAMPLE
    assert not {name: status for name, status in statuses.items() if status >= 400 or status not in documented[name]}
