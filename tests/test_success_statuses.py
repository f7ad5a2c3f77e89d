"""Success responses: several statuses, no content, redirects, Location; and nothing is committed without a response."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from models import collections
from models.access import Caller
from tools.testing.raw_client import RawClient, address
from tools.testing.served_contract import (
    ID,
    TEXT,
    Handlers,
    ServedContract,
    body,
    closed,
    operation,
    response,
    served,
)
from tools.testing.service import HOME, assert_envelope
from tools.testing.small_service import parameter
from web.responses import RawBody, WithETag, WithStatus, redirect

LOCATION = {"Location": {"schema": TEXT}}
EMPTY = {"description": "Nothing to say."}
ITEM = closed(["id"], id=TEXT)
Handler = Callable[..., Any]


def link(expression: Any) -> dict[str, Any]:
    return {"item": {"operationId": "get_item", "parameters": {"id": expression}}}


GET_ITEM = {"parameters": [ID], "get": operation("get_item", {"200": response(ITEM)})}


HANDLERS: Handlers = {"post_item": lambda: None, "get_item": lambda id: {"id": id}}  # noqa: A006 - the contract's name


def _paths(responses: dict[str, Any], **node: Any) -> dict[str, Any]:
    return {"/items": {"post": operation("post_item", responses, **node)}, "/items/{id}": GET_ITEM}


@contextmanager
def posting(handler: Handler, responses: dict[str, Any], **node: Any) -> Iterator[ServedContract]:
    """A service with `POST /items` and `GET /items/{id}`."""
    with served(_paths(responses, **node), HANDLERS | {"post_item": handler}) as service:
        yield service


def test_handler_chooses_among_the_documented_statuses() -> None:
    def handler(body: dict[str, str]) -> Any:
        if body["id"] == "later":
            return WithStatus(None, 202)
        return WithStatus(WithETag(body, 3), 201) if body["id"] == "new" else body

    responses = {
        "200": response(ITEM),
        "201": response(ITEM, headers=LOCATION | {"ETag": {"schema": TEXT}}, links=link("$response.body#/id")),
        "202": EMPTY,
    }
    with posting(handler, responses, requestBody=body(ITEM)) as service:
        old, new, later = (service.client.post("/items", json={"id": name}) for name in ("old", "new", "later"))
    assert (old.status_code, old.json()) == (200, {"id": "old"})
    assert (new.status_code, new.json(), new.headers["ETag"]) == (201, {"id": "new"}, '"3"')
    assert new.headers["Location"] == "/v1/items/new"
    assert (later.status_code, later.content, later.headers["Content-Length"]) == (202, b"", "0")


def test_204_has_no_content_and_the_connection_stays_usable() -> None:
    with posting(lambda: None, {"204": EMPTY}) as service:
        key = service.client.headers["X-API-Key"]
        request = f"POST /v1/items HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\n\r\n".encode()
        last = b"GET /v1/items/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: " + key.encode() + b"\r\n\r\n"
        with RawClient(address(service)) as client:
            client.send(request + request + last)
            assert [client.response().status for _ in range(3)] == [204, 204, 200]
            assert client.is_closed()


def test_redirect_has_its_location() -> None:
    with posting(lambda: redirect("/v1/items/a"), {"303": EMPTY | {"headers": LOCATION}}) as service:
        found = service.client.post("/items")
        assert (found.status_code, found.headers["Location"], found.content) == (303, "/v1/items/a", b"")
        assert service.client.post("/items", follow_redirects=True).json() == {"id": "a"}


LOCATIONS = {
    "$response.body#/item/id": "a%2Fb",
    "$response.body#/list/1/id": "second",
    "$response.header.ETag": "%227%22",
    "$request.body#/name": "sent",
    "$request.query.page": "5",
    "$request.header.X-Name": "%C3%A9",
    "latest": "latest",
}


def test_location_follows_the_expression_of_the_link() -> None:
    made = {"item": {"id": "a/b"}, "list": [{"id": "first"}, {"id": "second"}]}
    parameters = [
        {"name": "page", "in": "query", "schema": {"type": "integer"}},
        {"name": "X-Name", "in": "header", "schema": TEXT},
    ]
    paths: dict[str, Any] = {"/items/{id}": GET_ITEM}
    for number, expression in enumerate(LOCATIONS):
        created = response({}, headers=LOCATION | {"ETag": {"schema": TEXT}}, links=link(expression))
        node = {"parameters": parameters, "requestBody": body(closed([], name=TEXT))}
        paths[f"/{number}"] = {"post": operation(expression, {"201": created}, **node)}

    def handler(page: int, x_name: str, body: Any) -> WithETag[Any]:
        assert (page, x_name, body) == (5, "\xe9", {"name": "sent"})
        return WithETag(made, 7)

    with served(paths, HANDLERS | dict.fromkeys(LOCATIONS, handler)) as service:
        for number, location in enumerate(LOCATIONS.values()):
            sent = {"json": {"name": "sent"}, "headers": [(b"X-Name", b"\xe9")]}
            found = service.client.post(f"/{number}?page=5", **sent)  # type: ignore[arg-type] # by keyword
            assert found.headers["Location"] == f"/v1/items/{location}"


def _create(caller: Caller) -> collections.Collection:
    return collections.create(caller, HOME, name="Made by the handler")


def _count(service: ServedContract) -> int:
    with service.database.use():
        return len(collections.list_page(Caller("user_alice", frozenset({HOME}), frozenset(), None), HOME, 100, 0))


INVALID: dict[str, tuple[Handler, dict[str, Any]]] = {
    "a body of another form": (lambda caller: {"id": _create(caller).version}, {"200": response(ITEM)}),
    "no body": (lambda caller: _create(caller) and None, {"200": response(ITEM)}),
    "a body that JSON cannot hold": (lambda caller: {"id": {_create(caller).id}}, {"200": response(ITEM)}),
    "a body where there is none": (lambda caller: {"id": _create(caller).id}, {"204": EMPTY}),
    "an undocumented status": (lambda caller: WithStatus({"id": _create(caller).id}, 201), {"200": response(ITEM)}),
    "an undocumented header": (
        lambda caller: WithStatus({"id": _create(caller).id}, 200, {"x-more": "a"}),
        {"200": response(ITEM)},
    ),
    "a header of another type": (
        lambda caller: WithStatus({"id": _create(caller).id}, 200, {"x-size": "large"}),
        {"200": response(ITEM, headers={"X-Size": {"schema": {"type": "integer"}}})},
    ),
    "a required header that is missing": (
        lambda caller: {"id": _create(caller).id},
        {"200": response(ITEM, headers={"X-Size": {"required": True, "schema": TEXT}})},
    ),
    "an undocumented media type": (
        lambda caller: RawBody(_create(caller).id.encode(), "text/plain"),
        {"200": response(ITEM)},
    ),
    "a link to nothing": (
        lambda caller: {"id": _create(caller).id},
        {"201": response(ITEM, headers=LOCATION, links=link("$response.body#/item/id"))},
    ),
    "no Location where it is documented": (
        lambda caller: {"id": _create(caller).id},
        {"201": response(ITEM, headers=LOCATION)},
    ),
    "a line break in a header": (
        lambda caller: WithStatus({"id": _create(caller).id}, 200, {"location": "/a\r\nx: y"}),
        {"200": response(ITEM, headers=LOCATION)},
    ),
}


@pytest.fixture(scope="module")
def invalid() -> Iterator[ServedContract]:
    parameters = [parameter("Idempotency-Key", "header")]
    paths: dict[str, Any] = {"/items/{id}": GET_ITEM}
    for number, (name, (_, responses)) in enumerate(INVALID.items()):
        paths[f"/{number}"] = {"post": operation(name, responses, parameters=parameters)}
    with served(paths, HANDLERS | {name: handler for name, (handler, _) in INVALID.items()}) as service:
        yield service


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "once"}], ids=["without a key", "with a key"])
@pytest.mark.parametrize("name", INVALID)
def test_nothing_is_committed_without_a_valid_response(invalid: ServedContract, name: str, key: dict[str, str]) -> None:
    for _ in range(2):
        found = invalid.client.post(f"/{list(INVALID).index(name)}", headers=key)
        assert_envelope(found, "INTERNAL_SERVER_ERROR")
    assert _count(invalid) == 0


def test_valid_response_is_committed() -> None:
    with posting(lambda caller: {"id": _create(caller).id}, {"200": response(ITEM)}) as service:
        assert service.client.post("/items").status_code == 200
        assert _count(service) == 1


def test_two_changes_of_one_handler_are_one_transaction() -> None:
    def handler(caller: Caller) -> dict[str, str]:
        _create(caller)
        raise sqlite3.IntegrityError("the second change fails")

    with posting(handler, {"200": response(ITEM)}) as service:
        assert_envelope(service.client.post("/items"), "INTERNAL_SERVER_ERROR")
        assert _count(service) == 0


def test_coroutine_of_a_get_is_checked_too() -> None:
    async def handler() -> dict[str, int]:
        return {"id": 1}

    with served({"/it": {"get": operation("get_it", {"200": response(ITEM)})}}, {"get_it": handler}) as service:
        found: httpx.Response = service.client.get("/it")
        assert_envelope(found, "INTERNAL_SERVER_ERROR")


def test_header_field_that_cannot_be_sent_is_an_error_of_the_envelope() -> None:
    responses = {"200": response(ITEM, headers=LOCATION)}
    get = {"/it": {"get": operation("get_it", responses)}}
    with served(get, {"get_it": lambda: WithStatus({"id": "a"}, 200, {"location": "/\r\n"})}) as service:
        for _ in range(2):
            assert_envelope(service.client.get("/it"), "INTERNAL_SERVER_ERROR")
