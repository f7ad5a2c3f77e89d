"""Canaries: a key and a token sent in every place of a request are never returned, logged or stored."""

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
from tools.testing.played import sealed
from tools.testing.raw_client import RawClient, address
from tools.testing.service import ALICE, PEPPER, READ, WRITE, Actors, Service, Services

AUDIO = b"/v1/music/audio/mtrack_000000000000.mp3"
SHARED = b"/v1/music/shared/"
JWT_SECRET = "canary-secret-of-the-tokens-0123456789"


@pytest.fixture
def watched(services: Services, actors: Actors) -> Service:
    """A server with JWT authentication and debug logging."""
    return services.variant(actors.service, JWT_SECRET=JWT_SECRET, LOG_LEVEL="debug")


def _token() -> str:
    claims = {"sub": ALICE, "scope": f"{READ} {WRITE}", "exp": int(time.time()) + 600}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(JWT_SECRET))


def _requests(canary: bytes, key: bytes) -> Iterator[bytes]:
    """Requests with the canary in every place; most are refused."""
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
    yield get(AUDIO + b"?sig=" + canary)
    yield get(AUDIO + b"?a=1&sig=" + canary)
    yield get(AUDIO + b"?sig=" + canary + b"&" + canary + b"=" + canary, b"Range: bytes=0-1", b"Accept: text/html")
    yield get(b"/v1/music/audio/" + canary + b"?sig=" + canary)
    yield get(SHARED + canary)
    yield get(SHARED + canary + b"/save", as_alice)
    yield get(SHARED + canary + b"?" + canary + b"=1", b"Referer: https://music.example/shared/" + canary)
    yield get(SHARED + canary.replace(b"s", b"%73", 1), b"Accept: image/png")
    yield head(b"POST", SHARED + canary + b"/save", as_alice, JSON, b"Content-Length: 1") + b"{"
    yield head(b"POST", SHARED + canary + b"/save", as_alice)
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


def _response(where: tuple[str, int], request: bytes) -> tuple[int, str]:
    with RawClient(where) as client:
        client.send(request)
        response = client.response()
        return response.status, json.dumps(response.headers) + response.body.decode()


def test_secrets_are_in_no_response_log_or_database(watched: Service, actors: Actors) -> None:
    key_id, key = watched.key(ALICE)
    link = watched.client(key).post(f"tracks/{watched.make_tracks(1)[0]}/share").json()
    canaries = [key, _token(), sealed("mtrack_000000000000").partition("=")[2], link["token"]]
    responses = [
        _response(address(watched), request) for c in canaries for request in _requests(c.encode(), key.encode())
    ]
    assert {status for status, _ in responses} >= {200, 400, 401, 403, 404, 406, 415, 422}
    for place, text in (
        ("a response", "\n".join(text for _, text in responses)),
        ("the log", watched.await_log(key_id)),
        ("the database", _stored(watched)),
    ):
        for secret in _secrets(canaries):
            assert secret not in text, f"{place} holds {secret}: {_around(text, secret)}"
    assert key_id in watched.await_log(key_id), "the access log has the id of the key"


def _secrets(canaries: list[str]) -> list[str]:
    """Texts that must not be found: the canaries, their secret parts, and the server's secrets."""
    key, token, seal, shared = canaries
    return [
        shared,
        shared[8:],
        key,
        key[HINT_LENGTH:],
        token,
        token.rpartition(".")[2],
        seal,
        seal[10:40],
        seal[-30:],
        JWT_SECRET,
        PEPPER,
    ]


def _around(text: str, secret: str) -> str:
    position = text.index(secret)
    return text[max(0, position - 200) : position + 60]


def _stored(service: Service) -> str:
    """The content of the database: every row, and on SQLite every byte of its files."""
    with service.use_database():
        rows = [repr(tuple(row)) for table in metadata.sorted_tables for row in connection.fetch_all(select(table))]
    return "\n".join([*rows, *_files(service.database_url)])


def _files(url: str) -> Iterator[str]:
    name = url.removeprefix("sqlite:///")
    for file in [Path(name), Path(f"{name}-wal")] if name != url else []:
        if file.exists():
            yield file.read_bytes().decode("latin-1")


def test_secret_is_redacted_in_every_log_field() -> None:
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


def test_lone_surrogate_is_logged() -> None:
    from web.telemetry import log_config

    assert json.loads(log_config._json(None, "", {"event": "\ud800"})) == {"event": "\ud800"}
