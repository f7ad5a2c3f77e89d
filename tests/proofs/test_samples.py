"""Every code sample of the reference, run against the demo, gets the documented response."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from itertools import repeat
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from docsite import samples
from docsite.operations import Operation, operations
from models import spending
from models.base import now
from tests.proofs.recorder import RecordedExchange, Recorder, recorded
from tests.proofs.toolchains import CLIENTS, Programs
from tools.testing.service import Services
from web.contract import document as contract
from web.contract.schemas import Validator

OPERATIONS = operations(contract.document())
TONE = "audio/wav"
"""The media type of the audio of the demo in tests; that of users has MP3."""
# The seal in an address of audio is of one installation, and that of the contract's example is of none.
SEALED = [operation for operation in OPERATIONS if operation.id == "get_audio"]
# A sample asks for the whole file, and some languages follow where it leads; so it is run with a dead link.
LED = [operation for operation in OPERATIONS if operation.id == "get_shared_audio"]


class DemoServer(NamedTuple):
    """A server with the demo data behind the recorder, and a copy of the untouched database."""

    recorder: Recorder
    key: str
    live: str
    pristine: Path

    def reset(self) -> None:
        """Restores the demo data."""
        with closing(sqlite3.connect(self.pristine)) as source, closing(sqlite3.connect(self.live)) as target:
            source.backup(target)


@pytest.fixture(scope="session")
def demo(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    url = services.fresh_database("sqlite")
    server = services.start(url)
    key = server.load_demo()["alice"]
    live, pristine = url.removeprefix("sqlite:///"), tmp_path_factory.mktemp("demo") / "pristine.db"
    with closing(sqlite3.connect(live)) as source, closing(sqlite3.connect(pristine)) as target:
        source.backup(target)
    with recorded(urlsplit(server.url).port or 0) as recorder:
        yield DemoServer(recorder, key, live, pristine)


@pytest.fixture(scope="session", params=samples.LANGUAGES, ids=lambda language: language.label)
def programs(request: pytest.FixtureRequest, demo: DemoServer) -> Programs:
    language: samples.Language = request.param
    for client in ("python", "typescript", "go", "rust", "java"):
        assert (CLIENTS / client).is_dir(), f"{CLIENTS / client} is missing: run `make clients`"
    return Programs(language, OPERATIONS, demo.recorder.url, demo.key)


@pytest.mark.parametrize(
    "operation", [o for o in OPERATIONS if o not in (*SEALED, *LED)], ids=lambda operation: operation.id
)
def test_sample_gets_the_documented_response(demo: DemoServer, programs: Programs, operation: Operation) -> None:
    demo.reset()
    started = now().replace(microsecond=0)
    done = programs.run(operation)
    exchanges = demo.recorder.take()
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert not done.stderr or programs.chatty, done.stderr
    assert len(exchanges) == 1, f"it sent {len(exchanges)} requests"
    _assert_request(operation, exchanges[0], demo)
    _assert_response(operation, exchanges[0], started)
    _assert_output(operation, exchanges[0], done.stdout)


@pytest.mark.parametrize("operation", SEALED, ids=lambda operation: operation.id)
def test_sample_with_the_seal_of_the_example_is_refused(
    demo: DemoServer, programs: Programs, operation: Operation
) -> None:
    demo.reset()
    programs.run(operation)
    [exchange] = demo.recorder.take()
    _assert_request(operation, exchange, demo)
    assert exchange.status == 403
    assert json.loads(exchange.response)["error"]["code"] == "PLAYBACK_URL_INVALID"


@pytest.mark.parametrize("operation", LED, ids=lambda operation: operation.id)
def test_sample_with_a_dead_link_is_refused(demo: DemoServer, programs: Programs, operation: Operation) -> None:
    demo.reset()
    with closing(sqlite3.connect(demo.live)) as database, database:
        database.execute("DELETE FROM share_tokens")
    programs.run(operation)
    [exchange] = demo.recorder.take()
    _assert_request(operation, exchange, demo)
    assert exchange.status == 404
    assert json.loads(exchange.response)["error"]["code"] == "RESOURCE_NOT_FOUND"


def _assert_request(operation: Operation, exchange: RecordedExchange, demo: DemoServer) -> None:
    wanted = samples.request(operation, demo.recorder.url)
    assert (exchange.method, demo.recorder.url + exchange.target) == (operation.method, wanted.url)
    assert exchange.headers["X-API-Key"] == (demo.key if operation.secured else None)
    assert (exchange.headers[samples.IDEMPOTENCY_KEY] is not None) == wanted.keyed
    assert (json.loads(exchange.body) if exchange.body else None) == wanted.body


def _assert_response(operation: Operation, exchange: RecordedExchange, started: datetime) -> None:
    response = operation.by_status[operation.success]
    assert exchange.status == operation.success, exchange.response.decode()
    if "application/json" in response["content"]:
        media = response["content"]["application/json"]
        body = json.loads(exchange.response)
        flaws = list(Validator(media["schema"], contract.document()).violations(body))
        assert not flaws, flaws
        examples = [example["value"] for example in operation.examples(media)]
        is_open = operation.follow(media["schema"])["additionalProperties"] is True
        agrees = is_open or any(_agrees(example, body, started) for example in examples)
        assert agrees, f"the examples are {examples}, the response {body}"


def _agrees(example: Any, response: Any, started: datetime) -> bool:
    """Whether the response equals the example, except new ids and timestamps and further items of a page."""
    if isinstance(example, dict):
        same = all(_agrees(example[name], response[name], started) for name in example)
        return example.keys() == response.keys() and same
    if isinstance(example, list):
        start = response[: len(example)]
        return len(start) == len(example) and all(map(_agrees, example, start, repeat(started)))
    return bool(example == response) or _is_new(example, response, started) or _is_playback_url(example, response)


def _is_new(example: Any, response: Any, started: datetime) -> bool:
    if not isinstance(example, str) or not isinstance(response, str):
        return False
    if re.fullmatch("m[a-z]+_[0-9a-f]{12}", example):
        return example.partition("_")[0] == response.partition("_")[0] and response not in _contract_text()
    if "shr_" in example:
        return re.sub("^https?://[^/]+|shr_[0-9a-f]{32}", "", example) == re.sub(
            "^https?://[^/]+|shr_[0-9a-f]{32}", "", response
        )
    if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}T.*Z", example):
        moment = datetime.fromisoformat(response)
        return moment >= started or moment in [window.start for window in spending.windows(started)]
    return (example, response) == ("audio/mpeg", TONE)


def _is_playback_url(example: Any, response: Any) -> bool:
    """Whether the example is the address of a track's audio, and the response has its own, of whatever format."""
    if not isinstance(example, str) or not isinstance(response, str) or "/v1/music/audio/" not in example:
        return False
    return PurePosixPath(urlsplit(response).path).stem == PurePosixPath(urlsplit(example).path).stem


def _contract_text() -> str:
    """The contract as text; an id in it is not new."""
    return json.dumps(contract.document())


def _assert_output(operation: Operation, exchange: RecordedExchange, stdout: str) -> None:
    """The output contains the whole response, or each field that the sample prints."""
    shown = samples.request(operation, "").response
    if exchange.response.decode() in stdout:
        return
    assert shown.is_json, stdout[:2000]
    body = json.loads(exchange.response)
    rows = body[shown.items] if shown.listed else [body]
    values = [row[name] for row in rows for name in shown.shown if row[name] is not None]
    assert values
    # The Python sample prints only its last field.
    missing = [value for value in (values if shown.listed else values[-1:]) if str(value) not in stdout]
    assert not missing, f"{missing} is not in what it printed: {stdout}"
