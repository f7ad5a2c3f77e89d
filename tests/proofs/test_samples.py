"""Every sample of the reference, run against the server with the demo, gets the answer that the contract shows."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from docsite import samples
from docsite.operations import Operation, operations
from models.base import now
from tests.proofs.recorder import Exchange, Recorder, recorded
from tests.proofs.toolchains import CLIENT, Programs
from tools.testing.service import Services
from web.contract import document as contract
from web.contract.schemas import Validator

OPERATIONS = operations(contract.document())


class Stage(NamedTuple):
    """The server with the demo, seen through the recorder, and the demo as it was before any sample ran."""

    recorder: Recorder
    key: str
    live: str
    pristine: Path

    def reset(self) -> None:
        """Every sample meets the demo untouched."""
        with closing(sqlite3.connect(self.pristine)) as source, closing(sqlite3.connect(self.live)) as target:
            source.backup(target)


@pytest.fixture(scope="session")
def stage(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    url = services.fresh_database("sqlite")
    server = services.start(url)
    key = server.load_demo()["alice"]
    live, pristine = url.removeprefix("sqlite:///"), tmp_path_factory.mktemp("demo") / "pristine.db"
    with closing(sqlite3.connect(live)) as source, closing(sqlite3.connect(pristine)) as target:
        source.backup(target)
    with recorded(urlsplit(server.url).port or 0) as recorder:
        yield Stage(recorder, key, live, pristine)


@pytest.fixture(scope="session", params=samples.LANGUAGES, ids=lambda language: language.label)
def programs(request: pytest.FixtureRequest, stage: Stage) -> Programs:
    language: samples.Language = request.param
    assert language.label != "Python SDK" or CLIENT.is_dir(), f"{CLIENT} is missing: run `make clients`"
    return Programs(language, OPERATIONS, stage.recorder.url, stage.key)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_a_sample_gets_the_answer_of_the_contract(stage: Stage, programs: Programs, operation: Operation) -> None:
    stage.reset()
    started = now().replace(microsecond=0)
    told = programs.run(operation)
    exchanges = stage.recorder.take()
    assert told.returncode == 0, f"{told.stdout}{told.stderr}"
    assert not told.stderr or programs.chatty, told.stderr
    assert len(exchanges) == 1, f"it asked {len(exchanges)} times"
    _assert_asked(operation, exchanges[0], stage)
    _assert_answered(operation, exchanges[0], started)
    _assert_shown(operation, exchanges[0], told.stdout)


def _assert_asked(operation: Operation, exchange: Exchange, stage: Stage) -> None:
    wanted = samples.request(operation, stage.recorder.url)
    assert (exchange.method, stage.recorder.url + exchange.target) == (operation.method, wanted.url)
    assert exchange.headers["X-API-Key"] == (stage.key if operation.secured else None)
    assert (json.loads(exchange.body) if exchange.body else None) == wanted.body


def _assert_answered(operation: Operation, exchange: Exchange, started: datetime) -> None:
    response = operation.by_status[operation.success]
    assert exchange.status == operation.success, exchange.answer.decode()
    if "application/json" in response["content"]:
        media = response["content"]["application/json"]
        body = json.loads(exchange.answer)
        flaws = list(Validator(media["schema"], contract.document()).violations(body))
        assert not flaws, flaws
        example = operation.examples(media)[0]["value"]
        is_open = operation.follow(media["schema"])["additionalProperties"] is True
        assert is_open or _agrees(example, body, started), f"the example is {example}, the answer {body}"


def _agrees(example: Any, answer: Any, started: datetime) -> bool:
    """Whether the answer is the example, but for what the request has made new, and for the rest of a page."""
    if isinstance(example, dict):
        same = all(_agrees(example[name], answer[name], started) for name in example)
        return example.keys() == answer.keys() and same
    if isinstance(example, list):
        start = answer[: len(example)]
        return len(start) == len(example) and all(map(_agrees, example, start, repeat(started)))
    return bool(example == answer) or _is_new(example, answer, started)


def _is_new(example: Any, answer: Any, started: datetime) -> bool:
    if not isinstance(example, str) or not isinstance(answer, str):
        return False
    if re.fullmatch("m[a-z]+_[0-9a-f]{12}", example):
        return example.partition("_")[0] == answer.partition("_")[0] and answer not in _known()
    if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}T.*Z", example):
        return datetime.fromisoformat(answer) >= started
    return False


def _known() -> str:
    """Whatever the contract's examples name; an id that stands there is not new."""
    return json.dumps(contract.document())


def _assert_shown(operation: Operation, exchange: Exchange, stdout: str) -> None:
    """What the sample printed is in the answer: each field that it shows, or the whole."""
    shown = samples.request(operation, "").response
    if exchange.answer.decode() in stdout:
        return
    assert shown.is_json, stdout[:2000]
    body = json.loads(exchange.answer)
    rows = body["items"] if shown.listed else [body]
    values = [row[name] for row in rows for name in shown.shown if row[name] is not None]
    assert values
    # The one in Python shows the last field alone, as the page that the reference began with.
    missing = [value for value in (values if shown.listed else values[-1:]) if str(value) not in stdout]
    assert not missing, f"{missing} is not in what it printed: {stdout}"
