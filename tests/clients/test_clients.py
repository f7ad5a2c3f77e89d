"""Every client compiles, does the scenario against the live server and survives the nasty one."""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from tests.clients.languages import LANGUAGES, Language
from tests.clients.misbehaving_server import Nasty
from tools.clients.__main__ import write
from tools.clients.generators import DIST, RECIPES, ROOT
from tools.testing.service import HOME, Services

SCENARIO = yaml.safe_load(Path(__file__).with_name("scenario.yaml").read_text(encoding="utf-8"))
PATIENCE_SECONDS = 60
EVERY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)


class Driver:
    """A running driver: one JSON line in, one out."""

    def __init__(self, language: Language) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(language.run, cwd=language.home, stdin=pipe, stdout=pipe, text=True)

    def ask(self, step: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(step) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the driver ended with status {self.process.wait(PATIENCE_SECONDS)} at {step}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        with self.process:  # closes both pipes, and so ends the driver
            pass
        assert self.process.returncode == 0


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    started = Services(tmp_path_factory.mktemp("services"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def nasty() -> Iterator[Nasty]:
    server = Nasty()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def driver(language: Language) -> Iterator[Driver]:
    language.require_built()
    running = Driver(language)
    yield running
    running.close()


@EVERY_LANGUAGE
def test_it_compiles(language: Language) -> None:
    language.build()


@EVERY_LANGUAGE
def test_it_does_the_scenario(language: Language, driver: Driver, services: Services) -> None:
    actors = services.actors("sqlite")
    key = actors.service.key(f"user_{secrets.token_hex(8)}")[1]  # somebody who has nothing yet
    known = {"track_1": actors.tracks[0], "track_2": actors.tracks[1], "key_1": secrets.token_hex(8)}
    for step in SCENARIO["live"]:
        asked = _filled(step, known)
        common = {"url": f"{actors.service.url}/v1", "api_key": key, "organization": HOME, "timeout": 20, "retries": 0}
        answer = driver.ask(common | asked)
        if "save" in step:
            known[step["save"]] = answer.get("value", {}).get("id")
        _compare(asked, answer)


@EVERY_LANGUAGE
def test_it_survives_the_nasty_server(language: Language, driver: Driver, nasty: Nasty) -> None:
    common = {"url": nasty.url, "api_key": "a-key", "collection": "mcoll_4a1f9c7e2b8d", "timeout": 20, "retries": 3}
    for step in SCENARIO["nasty"]:
        nasty.forget()
        _compare(step, driver.ask(common | step))
        assert len(nasty.asked) == step["attempts"], f"{step['name']}: {nasty.asked}"
        assert not any(request.early for request in nasty.asked), f"{step['name']}: sooner than Retry-After says"
        keys = {request.key for request in nasty.asked if request.method == "POST"}
        assert None not in keys, f"{step['name']}: a POST without Idempotency-Key"
        assert len(keys) <= 1, f"{step['name']}: another Idempotency-Key on another attempt"
        assert {request.agent for request in nasty.asked} == {language.agent()}, nasty.asked


def test_every_recipe_is_proved() -> None:
    assert set(LANGUAGES) == set(RECIPES), (
        "A recipe in tools/clients/ needs its row in tests/clients/languages.py and a driver."
    )


def test_the_same_contract_gives_the_same_bytes() -> None:
    before = _digests()
    write(list(RECIPES))
    after = _digests()
    different = sorted(name for name in before | after if before.get(name) != after.get(name))
    assert not different, f"Written twice, these differ: {different[:10]}"


def test_nothing_of_this_machine_or_the_generators_samples_is_left() -> None:
    strays = (str(ROOT), "GIT_REPO_ID", "GIT_USER_ID", "team@openapitools.org")
    files = [file for file in DIST.rglob("*") if file.is_file()]
    found = [file for file in files if any(stray in file.read_text(encoding="utf-8") for stray in strays)]
    assert files
    assert not found, f"Placeholders or paths of this machine: {[str(file.relative_to(DIST)) for file in found]}"


def _digests() -> dict[str, str]:
    files = (file for file in DIST.rglob("*") if file.is_file())
    return {str(file.relative_to(DIST)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _filled(node: Any, known: dict[str, str]) -> Any:
    """The step with each `$name` replaced by what it stands for."""
    if isinstance(node, dict):
        return {key: _filled(value, known) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(item, known) for item in node]
    return known[node[1:]] if isinstance(node, str) and node.startswith("$") else node


def _compare(step: dict[str, Any], answer: dict[str, Any]) -> None:
    expected = step["expect"]
    if expected == {"failure": True}:
        assert answer.get("failure"), f"{step['name']}: {answer}"
    else:
        assert _part(expected, answer), f"{step['name']}: expected {expected}, got {answer}"


def _part(expected: Any, found: Any) -> bool:
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(key in found and _part(expected[key], found[key]) for key in expected)
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(_part, expected, found))
    return bool(expected == found)
