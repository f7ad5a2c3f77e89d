"""Canaries: a key and a token that are sent everywhere must come back nowhere."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import select

from models.base import metadata
from models.db import connection
from models.keys import HINT_LENGTH
from tools.testing.cases import JSON, LIST, ORDER, TRACKS, get, head
from tools.testing.raw_client import Line, address
from tools.testing.service import ALICE, PEPPER, READ, WRITE, Actors, Service, Services

JWT_SECRET = "canary-secret-of-the-tokens-0123456789"


@pytest.fixture
def watched(services: Services, actors: Actors) -> Service:
    """A server that takes tokens and logs all that it can."""
    return services.variant(actors.service, JWT_SECRET=JWT_SECRET, LOG_LEVEL="debug")


def _token() -> str:
    claims = {"sub": ALICE, "scope": f"{READ} {WRITE}", "exp": int(time.time()) + 600}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(JWT_SECRET))


def _requests(canary: bytes, key: bytes) -> Iterator[bytes]:
    """The canary in every place of a request, most of them refused."""
    as_alice = b"X-API-Key: " + key
    yield get(LIST, b"X-API-Key: " + canary)
    yield get(LIST, b"Authorization: Bearer " + canary)
    yield get(LIST, b"X-API-Key: " + canary, b"Authorization: Bearer " + canary)
    yield get(LIST, b"X-API-Key: " + canary[:-1])
    yield get(LIST, b"Authorization: Basic " + canary)
    yield get(LIST, b"Authorization: Bearer " + canary, b"Accept: text/html")
    for name in (
        b"Cookie",
        b"Referer",
        b"User-Agent",
        b"X-Forwarded-For",
        b"X-Request-ID",
        b"If-None-Match",
        b"Accept",
        b"Origin",
        b"Range",
        b"X-Other",
    ):
        yield get(LIST, as_alice, name + b": " + canary)
    yield get(LIST, as_alice, b"X-API_Key: " + canary)
    yield get(LIST, b"X_API_Key: " + canary)
    yield get(LIST, canary + b": a")
    yield get(LIST, b"X-API-Key " + canary)
    yield get(LIST + b"?" + canary + b"=1", as_alice)
    yield get(LIST + b"?limit=" + canary, as_alice)
    yield get(LIST + b"?api_key=" + canary)
    yield get(LIST + b"/" + canary, as_alice)
    yield get(LIST + b"/%00" + canary, as_alice)
    yield get(b"/v1/music/" + canary + b"/collections", as_alice)
    yield get(b"/" + canary)
    yield get(b"http://user:" + canary + b"@localhost" + LIST)
    yield head(canary[:20], LIST)
    for target, body in (
        (LIST, b"{" + canary),
        (LIST, b'{"name": "a", "%s": 1}' % canary),
        (LIST, b'{"name": ["%s"]}' % canary),
        (LIST, b'{"name": "a", "cover_track_id": "%s"}' % canary),
        (LIST, b'{"name": "a", "cover_image_url": "%s"}' % canary),
        (TRACKS, b'{"track_id": "%s"}' % canary),
        (ORDER, b'{"ordered_track_ids": ["%s"]}' % canary),
    ):
        method = b"PATCH" if target is ORDER else b"POST"
        yield head(method, target, as_alice, JSON, b"Content-Length: %d" % len(body)) + body
    yield head(b"POST", LIST, as_alice, b"Content-Type: " + canary, b"Content-Length: 2") + b"{}"
    yield head(b"POST", LIST, as_alice, JSON, b"Idempotency-Key: " + canary, b"Content-Length: 2") + b"{}"


def _answered(where: tuple[str, int], request: bytes) -> tuple[int, str]:
    with Line(where) as line:
        line.say(request)
        answer = line.answer()
        return answer.status, json.dumps(answer.headers) + answer.body.decode()


def test_a_canary_comes_back_in_no_answer_and_stays_in_no_place(watched: Service, actors: Actors) -> None:
    key_id, key = watched.key(ALICE)
    canaries = [key, _token()]
    answers = [
        _answered(address(watched), request) for c in canaries for request in _requests(c.encode(), key.encode())
    ]
    assert {status for status, _ in answers} >= {200, 400, 401, 403, 404, 406, 415, 422}
    for place, text in (
        ("an answer", "\n".join(text for _, text in answers)),
        ("the log", watched.log_text()),
        ("the database", _stored(watched)),
    ):
        for secret in _secrets(canaries):
            assert secret not in text, f"{place} holds {secret}: {_around(text, secret)}"
    assert key_id in watched.log_text(), "a log line names the key by its id"


def _secrets(canaries: list[str]) -> list[str]:
    """What nobody may find: the canaries, the parts that make them secret, and the server's own secrets."""
    key, token = canaries
    return [key, key[HINT_LENGTH:], token, token.rpartition(".")[2], JWT_SECRET, PEPPER]


def _around(text: str, secret: str) -> str:
    position = text.index(secret)
    return text[max(0, position - 200) : position + 60]


def _stored(service: Service) -> str:
    """All that the database holds: every row, and on SQLite every byte of its files."""
    with service.store():
        rows = [repr(tuple(row)) for table in metadata.sorted_tables for row in connection.fetch_all(select(table))]
    return "\n".join([*rows, *_files(service.database_url)])


def _files(url: str) -> Iterator[str]:
    name = url.removeprefix("sqlite:///")
    for file in [Path(name), Path(f"{name}-wal")] if name != url else []:
        if file.exists():
            yield file.read_bytes().decode("latin-1")


def test_a_secret_is_masked_whoever_logs_it() -> None:
    from web.redaction import redact
    from web.telemetry import log_config

    key = "msk_" + "0123456789abcdefghijABCDEFGHIJ" + "123456"
    event = {
        "event": f"a {key} b",
        "list": [key, {"deep": key}],
        "error": ValueError(key),
        key: 1,
        "bytes": key.encode(),
    }
    line = redact(log_config._json(None, "", event))
    assert key not in line
    assert isinstance(json.loads(line), dict)


def test_a_text_that_is_no_utf_8_is_logged_all_the_same() -> None:
    from web.telemetry import log_config

    assert json.loads(log_config._json(None, "", {"event": "\ud800"})) == {"event": "\ud800"}
