"""An unmodified Connexion and the service on one contract, with handlers that always succeed."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from connexion.apps.flask import FlaskApp
from connexion.options import SwaggerUIOptions
from connexion.resolver import Resolver

import app
from settings import Settings
from tools.testing.service import ALICE, PEPPER, operations
from tools.testing.small_service import SECRET, one_user_database
from web.asgi import App, Message
from web.contract import document as contract
from web.contract.reading import JSON, OperationObject, examples
from web.dispatch import Dispatcher
from web.responses import RawBody

TIMEOUT_SECONDS = 10
# How Connexion names the function that checks a credential, by the type of its security scheme.
_INFO_FUNCTIONS = {
    "apiKey": "x-apikeyInfoFunc", "http": "x-bearerInfoFunc", "oauth2": "x-tokenInfoFunc",
    "openIdConnect": "x-tokenInfoFunc",
}  # fmt: skip


class Response(NamedTuple):
    """A status and a body."""

    status: int
    body: bytes

    @property
    def is_refusal(self) -> bool:
        return self.status >= 400

    def error(self) -> dict[str, Any]:
        """What the envelope says; nothing for a success."""
        found: dict[str, Any] = json.loads(self.body)["error"] if self.is_refusal else {}
        return found

    def violations(self) -> set[tuple[str, str]]:
        """(pointer, rule) of everything that a 422 lists."""
        return {(found["pointer"], found["code"]) for found in self.error().get("details", {}).get("errors", ())}


@cache
def stock() -> FlaskApp:
    """Connexion as it comes, with its own routing, security and validation."""
    return _connexion(contract.document(), _stock_handler)


def stock_of(document: dict[str, Any]) -> FlaskApp:
    """Connexion as it comes on another contract; its handlers answer 200 with an empty object."""
    return _connexion(document, lambda _name: lambda **_: ({}, 200))


def _connexion(document: dict[str, Any], find: Callable[[str], Callable[..., Any]]) -> FlaskApp:
    document = copy.deepcopy(document)
    for scheme in document["components"].get("securitySchemes", {}).values():
        scheme[_INFO_FUNCTIONS[scheme["type"]]] = "tools.testing.connexion_pair.find_key"
    found = FlaskApp("stock", server_args={"static_folder": None})
    found.add_api(
        document,
        resolver=Resolver(find),
        swagger_ui_options=SwaggerUIOptions(serve_spec=False, swagger_ui=False),
    )
    return found


def find_key(secret: str) -> dict[str, str] | None:
    """What Connexion's security asks: there is one key."""
    return {"sub": ALICE} if secret == SECRET else None


@cache
def ours() -> App:
    """The service with the same handlers and the same key."""
    dispatcher = Dispatcher(one_user_database(), enforce=False)
    return app.assemble(
        Settings(rate_limit="off"), contract.document(), dispatcher, PEPPER.encode(), lambda _tag, name: _handler(name)
    )


def _stock_handler(name: str) -> Callable[..., Any]:
    operation, body = _operation(name), _success(name)

    def handler(**_: Any) -> Any:
        return body, operation.success, {"Content-Type": _media_type(operation)}

    return handler


def _handler(name: str) -> Callable[[], Any]:
    body, media_type = _success(name), _media_type(_operation(name))
    return lambda: body if media_type == JSON else RawBody(b"{}", media_type)


def _media_type(operation: OperationObject) -> str:
    """The media type of the success."""
    return str(next(iter(operation.by_status[operation.success].get("content", {JSON: {}}))))


def _success(name: str) -> Any:
    """The contract's example of the success, or an empty object."""
    operation = _operation(name)
    media = operation.by_status[operation.success].get("content", {}).get(JSON, {})
    return next(iter(examples(media, operation.document).values()), {})


def _operation(name: str) -> OperationObject:
    return next(operation for operation in operations() if operation.id == name)


def ask(application: App, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Response:
    """The response of an ASGI application to one request."""
    return asyncio.run(asyncio.wait_for(_ask(application, method, url, headers, body), TIMEOUT_SECONDS))


async def _ask(application: App, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Response:
    parts, sent = urlsplit(url), list[Message]()
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method,
        "server": ("test", 80), "client": ("127.0.0.1", 1), "root_path": "", "path": unquote(parts.path),
        "raw_path": parts.path.encode(), "query_string": parts.query.encode(), "state": {},
        "headers": [(b"host", b"test"), *fields],
    }  # fmt: skip
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return Response(sent[0]["status"], b"".join(part.get("body", b"") for part in sent[1:]))
