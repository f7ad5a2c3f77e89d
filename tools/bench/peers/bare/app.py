"""Bare ASGI peer: no framework, no validation, hand-written SQL; the lower bound for a Python server."""

from importlib import import_module
from typing import Any
from urllib.parse import parse_qs

import orjson

from tools.bench.peers.bare.data import IS_SQLITE, Absent, Caller, authenticate, digest

store: Any = import_module(f"tools.bench.peers.bare.{'sqlite' if IS_SQLITE else 'postgres'}")
Scope = dict[str, Any]


async def app(scope: Scope, receive: Any, send: Any) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    status, body = await _respond(scope, receive)
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Any, send: Any) -> None:
    await receive()
    await store.connect()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def _respond(scope: Scope, receive: Any) -> tuple[int, bytes]:
    segments = scope["path"].split("/")
    key = dict(scope["headers"]).get(b"x-api-key")
    caller = authenticate(await store.key(digest(key)) if key else None, segments[3])
    if caller is None:
        return 401, b'{"success":false,"error":{"code":"AUTHENTICATION_REQUIRED","status":401}}'
    try:
        status, value = await _route(scope, receive, caller, segments)
    except Absent:
        return 404, b'{"success":false,"error":{"code":"RESOURCE_NOT_FOUND","status":404}}'
    return status, orjson.dumps(value)


async def _route(scope: Scope, receive: Any, caller: Caller, segments: list[str]) -> tuple[int, Any]:
    """Routes by method and number of segments of a path like /v1/music/{org}/collections/{id}/tracks."""
    match scope["method"], len(segments):
        case "GET", 6:
            return 200, await store.get(caller, segments[5])
        case "GET", 5:
            return 200, await store.page(caller, *_window(scope, 50))
        case "GET", _:
            return 200, await store.tracks(caller, segments[5], *_window(scope, 200))
        case "POST", _:
            return await _create(caller, await _body(receive))
        case _, 6:
            return 200, await store.change(caller, segments[5], (await _body(receive))["name"])
        case _:
            return 200, await store.reorder(caller, segments[5], (await _body(receive))["ordered_track_ids"])


async def _create(caller: Caller, body: Any) -> tuple[int, Any]:
    # The only validation: a body without a name cannot be stored.
    if "name" not in body:
        return 422, {"success": False, "error": {"code": "VALIDATION_ERROR", "status": 422}}
    return 201, await store.create(caller, body["name"], body.get("description"))


def _window(scope: Scope, default: int) -> tuple[int, int]:
    query = parse_qs(scope["query_string"])
    return int(query.get(b"limit", [default])[0]), int(query.get(b"offset", [0])[0])


async def _body(receive: Any) -> Any:
    content, more = b"", True
    while more:
        message = await receive()
        content, more = content + message.get("body", b""), message.get("more_body", False)
    return orjson.loads(content)
