"""Bodies of requests and responses: JSON types, text, bytes and streams; readOnly and writeOnly; optional bodies."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from models import organizations
from tools.testing.raw_client import address
from tools.testing.served_contract import (
    TEXT,
    Handlers,
    ServedContract,
    body,
    closed,
    operation,
    response,
    served,
)
from tools.testing.service import ALICE, HOME, assert_envelope, violations
from web.responses import RawBody, StreamedBody

WORD = {"type": "string", "maxLength": 5, "pattern": "^a+$"}
BYTES = {"type": "string", "format": "binary", "maxLength": 4}
PROBLEM = "application/problem+json"
MERGE_PATCH = "application/merge-patch+json"
ITEM = closed(
    ["label", "made", "phrase"], label=TEXT, made=TEXT | {"readOnly": True}, phrase=TEXT | {"writeOnly": True}
)
CAT = closed(["kind"], kind=TEXT, lives={"type": "integer"})
DOG = closed(["kind"], kind=TEXT, barks={"type": "boolean"})
TREE = closed([], kids={"type": "array", "items": {"$ref": "#/components/schemas/Tree"}})
PET = {
    "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
    "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/components/schemas/Cat"}},
}
MAYBE = closed([], who={"nullable": True, "allOf": [{"$ref": "#/components/schemas/Cat"}]})
SCHEMAS = {"Cat": CAT, "Dog": DOG, "Tree": TREE, "Pet": PET}
STOPPED = threading.Event()


def echo(body: Any) -> Any:
    return body


def count(body: bytes) -> int:
    return len(body)


def listed_pieces() -> StreamedBody:
    return StreamedBody([b"a", b"b"], "text/csv")


async def count_up() -> StreamedBody:
    async def events() -> AsyncIterator[bytes]:
        try:
            for number in range(1_000_000):
                yield b"data: %d\n\n" % number
                await asyncio.sleep(0.01)
        finally:
            STOPPED.set()

    return StreamedBody(events(), "text/event-stream")


def three_pieces() -> StreamedBody:
    def pieces() -> Iterator[bytes]:
        for number in range(3):
            yield f"{number}: {organizations.organizations_of(ALICE) == {HOME}}\n".encode()

    return StreamedBody(pieces(), "text/csv")


def broken_pieces() -> StreamedBody:
    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise RuntimeError("A planted fault")

    return StreamedBody(pieces(), "text/csv")


RETURNED: dict[str, tuple[dict[str, Any], Callable[..., Any]]] = {
    "text": (response(WORD, "text/plain"), lambda: "aaa"),
    "invalid_text": (response(WORD, "text/plain"), lambda: "bbb"),
    "long_text": (response(WORD, "text/plain"), lambda: "aaaaaa"),
    "bytes_as_text": (response(WORD, "text/plain"), lambda: b"aaa"),
    "bytes": (response(BYTES, "application/octet-stream"), lambda: b"\x00\xff"),
    "long_bytes": (response(BYTES, "application/octet-stream"), lambda: b"\x00" * 5),
    "problem": (response(closed(["title"], title=TEXT), PROBLEM), lambda: {"title": "a"}),
    "invalid_problem": (response(closed(["title"], title=TEXT), PROBLEM), lambda: {"wrong": 1}),
    "raw": (response(WORD, "text/plain; charset=utf-8"), lambda: RawBody(b"aaa", "text/plain; charset=utf-8")),
    "secret": (response(ITEM), lambda: {"label": "a", "made": "b", "phrase": "secret"}),
    "made": (response(ITEM), lambda: {"label": "a", "made": "b"}),
    "events": (response(TEXT, "text/event-stream"), count_up),
    "pieces": (response(TEXT, "text/csv"), three_pieces),
    "listed_pieces": (response(TEXT, "text/csv"), listed_pieces),
    "broken_pieces": (response(TEXT, "text/csv"), broken_pieces),
    "two_types": (
        {"description": "As asked.", "content": {name: {"schema": {}} for name in ("application/json", PROBLEM)}},
        lambda: {"title": "a"},
    ),
}
TAKEN: dict[str, dict[str, Any]] = {
    "word": body(WORD, "text/plain"),
    "file": body(BYTES, "application/octet-stream", "audio/ogg"),
    "patch": body(closed([], label=TEXT), "application/json", MERGE_PATCH),
    "item": body(ITEM),
    "pet": body({"$ref": "#/components/schemas/Pet"}),
    "tree": body({"$ref": "#/components/schemas/Tree"}),
    "maybe": body(MAYBE),
    "optional": body(closed([], label=TEXT), required=False),
}


@pytest.fixture(scope="module")
def service() -> Iterator[ServedContract]:
    paths: dict[str, Any] = {
        f"/{name}": {"get": operation(name, {"200": node})} for name, (node, _) in RETURNED.items()
    }
    handlers: Handlers = {name: handler for name, (_, handler) in RETURNED.items()}
    for name, node in TAKEN.items():
        method = "patch" if name == "patch" else "post"
        paths[f"/{name}"] = {method: operation(f"take_{name}", {"200": response({})}, requestBody=node)}
        handlers[f"take_{name}"] = count if name == "file" else echo
    with served(paths, handlers, schemas=SCHEMAS) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "media_type", "content"),
    [
        ("text", "text/plain", b"aaa"),
        ("bytes", "application/octet-stream", b"\x00\xff"),
        ("problem", PROBLEM, b'{"title":"a"}'),
        ("raw", "text/plain; charset=utf-8", b"aaa"),
        ("made", "application/json", b'{"label":"a","made":"b"}'),
    ],
)
def test_response_is_sent_as_its_media_type(
    service: ServedContract, name: str, media_type: str, content: bytes
) -> None:
    found = service.client.get(f"/{name}")
    assert (found.status_code, found.headers["Content-Type"], found.content) == (200, media_type, content)


@pytest.mark.parametrize(
    "name", ["invalid_text", "long_text", "bytes_as_text", "long_bytes", "invalid_problem", "secret"]
)
def test_response_that_breaks_its_schema_is_not_sent(service: ServedContract, name: str) -> None:
    assert_envelope(service.client.get(f"/{name}"), "INTERNAL_SERVER_ERROR")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [("*/*", "application/json"), (PROBLEM, PROBLEM), (f"application/json;q=0, {PROBLEM}", PROBLEM)],
)
def test_accept_chooses_among_media_types(service: ServedContract, accept: str, media_type: str) -> None:
    found = service.client.get("/two_types", headers={"Accept": accept})
    assert (found.headers["Content-Type"], found.json()) == (media_type, {"title": "a"})


@pytest.mark.parametrize(
    ("name", "accept"), [("text", "application/json"), ("problem", "application/json"), ("two_types", "text/*")]
)
def test_media_type_that_is_not_accepted_is_406(service: ServedContract, name: str, accept: str) -> None:
    assert_envelope(service.client.get(f"/{name}", headers={"Accept": accept}), "NOT_ACCEPTABLE")


def _send(service: ServedContract, name: str, content: bytes, media_type: str) -> httpx.Response:
    method = "PATCH" if name == "patch" else "POST"
    return service.client.request(method, f"/{name}", content=content, headers={"Content-Type": media_type})


@pytest.mark.parametrize(
    ("name", "content", "media_type", "received"),
    [
        ("word", b"aaa", "text/plain", "aaa"),
        ("word", b"aaa", 'text/plain; charset="UTF-8"', "aaa"),
        ("file", b"\x00\xff", "application/octet-stream", 2),
        ("file", b"\x00\xff", "audio/ogg; codecs=opus", 2),
        ("patch", b'{"label":"a"}', "application/json", {"label": "a"}),
        ("patch", b'{"label":"a"}', "application/merge-patch+json; charset=utf-8", {"label": "a"}),
        ("optional", b'{"label":"a"}', "application/json", {"label": "a"}),
    ],
)
def test_body_is_received_as_its_media_type(
    service: ServedContract, name: str, content: bytes, media_type: str, received: Any
) -> None:
    assert _send(service, name, content, media_type).json() == received


@pytest.mark.parametrize(
    ("name", "content", "media_type", "broken"),
    [
        ("word", b"bbb", "text/plain", {("", "pattern")}),
        ("word", b"aaaaaa", "text/plain", {("", "maxLength")}),
        ("file", b"\x00" * 5, "audio/ogg", {("", "maxLength")}),
        ("patch", b'{"more":"a"}', MERGE_PATCH, {("/more", "additionalProperties")}),
        ("word", b"", "text/plain", {("", "required")}),
        ("item", b'{"label":"a","phrase":"b","made":"c"}', "application/json", {("/made", "readOnly")}),
        ("item", b'{"label":"a"}', "application/json", {("/phrase", "required")}),
        ("pet", b'{"kind":"cat","barks":true}', "application/json", {("/barks", "additionalProperties")}),
        ("pet", b'{"kind":"Cat"}', "application/json", {("/kind", "enum"), ("", "oneOf")}),
        (
            "tree",
            b'{"kids":[{"kids":[{"more":1}]}]}',
            "application/json",
            {("/kids/0/kids/0/more", "additionalProperties")},
        ),
    ],
)
def test_body_that_breaks_its_schema_is_422(
    service: ServedContract, name: str, content: bytes, media_type: str, broken: set[tuple[str, str]]
) -> None:
    assert violations(_send(service, name, content, media_type)) == broken


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("item", {"label": "a", "phrase": "b"}),
        ("pet", {"kind": "Dog", "barks": True}),
        ("tree", {"kids": [{}, {"kids": []}]}),
        ("maybe", {"who": None}),
        ("maybe", {"who": {"kind": "a"}}),
    ],
)
def test_valid_json_is_received(service: ServedContract, name: str, sent: Any) -> None:
    assert service.client.post(f"/{name}", json=sent).json() == sent


@pytest.mark.parametrize(
    ("name", "media_type", "header", "accepted"),
    [
        ("word", "application/json", "Accept-Post", "text/plain"),
        ("word", "text/plain; charset=latin-1", "Accept-Post", "text/plain"),
        ("patch", PROBLEM, "Accept-Patch", f"application/json, {MERGE_PATCH}"),
        ("file", "audio/mpeg", "Accept-Post", "application/octet-stream, audio/ogg"),
        ("optional", "text/plain", "Accept-Post", "application/json"),
    ],
)
def test_other_media_type_is_415(
    service: ServedContract, name: str, media_type: str, header: str, accepted: str
) -> None:
    found = _send(service, name, b"aaa", media_type)
    assert_envelope(found, "UNSUPPORTED_MEDIA_TYPE")
    assert found.headers[header] == accepted


def test_text_must_be_utf_8(service: ServedContract) -> None:
    assert_envelope(_send(service, "word", b"\xff", "text/plain"), "MALFORMED_REQUEST")


def test_optional_body_may_be_left_out(service: ServedContract) -> None:
    assert service.client.post("/optional").json() is None


def test_pieces_are_streamed_in_chunks_and_may_query_the_database(service: ServedContract) -> None:
    found = service.client.get("/pieces")
    assert found.headers["Transfer-Encoding"] == "chunked"
    assert found.headers["Content-Type"] == "text/csv"
    assert found.text == "0: True\n1: True\n2: True\n"
    assert service.client.get("/listed_pieces").text == "ab"
    head = service.client.head("/pieces")
    assert (head.status_code, head.content) == (200, b"")
    assert service.client.get("/text").text == "aaa", "the connection stays usable"


def test_stream_ends_when_the_client_disconnects(service: ServedContract) -> None:
    STOPPED.clear()
    with service.client.stream("GET", "/events") as found:
        first = next(found.iter_bytes())
        assert first.startswith(b"data: 0\n\n")
    assert STOPPED.wait(10), "the iterator goes on without a client"


def test_stream_that_fails_is_truncated(service: ServedContract) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        service.client.get("/broken_pieces")


def test_stream_of_http_1_0_ends_with_the_connection(service: ServedContract) -> None:
    with socket.create_connection(address(service), timeout=10) as client:
        key = service.client.headers["X-API-Key"].encode()
        client.sendall(b"GET /v1/pieces HTTP/1.0\r\nX-API-Key: " + key + b"\r\n\r\n")
        read = b""
        while piece := client.recv(1 << 16):
            read += piece
    head, _, content = read.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert content == b"0: True\n1: True\n2: True\n"
