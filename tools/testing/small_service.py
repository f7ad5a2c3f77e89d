"""The service on a small contract, with handlers that return what they were given."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import httpx

import app
from models import keys, organizations
from models.db import migrate
from models.db.database import Database
from settings import Settings
from tools.testing.service import ALICE, HOME, PEPPER, READ, WRITE
from web.asgi import App
from web.contract import conformance, signatures
from web.contract import document as contract
from web.contract.reading import OperationObject, operations
from web.dispatch import Dispatcher

SECRET = "msk_mockAlice0000000000000000000004Fv26j"
KEY = {"X-API-Key": SECRET}
ERRORS = (400, 401, 403, 404, 405, 406, 408, 409, 412, 413, 414, 415, 422, 428, 429, 431, 500, 503)
SHARED = ("ErrorEnvelope", "ErrorBody", "ErrorCode", "ErrorDetails", "ErrorType", "Violation")
SHOWN = ("content-type", "location", "etag", "deprecation", "sunset", "link")
Document = dict[str, Any]
Handler = Callable[..., Any]


class Answer(NamedTuple):
    """A response without what differs between two equal requests."""

    status: int
    headers: dict[str, str]
    body: Any


def document(paths: Mapping[str, Any], **components: Any) -> Document:
    """A contract with these paths below /v1; `components` are added to the error envelope and the two credentials."""
    own = contract.document()
    schemas = {name: node for name, node in own["components"]["schemas"].items() if name in SHARED}
    shared = {"schemas": schemas, "securitySchemes": own["components"]["securitySchemes"]}
    merged = {section: shared.get(section, {}) | components.get(section, {}) for section in shared | components}
    rates = {
        "default": {"per": "credential", "requests": 1000, "seconds": 60, "description": "Requests of one key."},
        "address": {"per": "address", "requests": 1000, "seconds": 60, "description": "Requests of one address."},
    }
    return copy.deepcopy(
        {
            "openapi": "3.0.3",
            "info": {"title": "Small API", "version": "1.0.0", "description": "A small contract."},
            "servers": [{"url": "/v1"}],
            "security": own["security"],
            "tags": [{"name": "things", "description": "Things."}],
            "x-rate-limits": rates,
            "paths": dict(paths),
            "components": merged,
        }
    )


def operation(name: str, success: Any = None, /, **fields: Any) -> dict[str, Any]:
    """An Operation Object that answers 200 with any JSON; `success` replaces its success responses."""
    responses = {"200": response({})} if success is None else success
    described = {"operationId": name, "tags": ["things"], "summary": "Do it", "description": "Does it."}
    return described | {"x-rate-limit": "default", "responses": responses | errors()} | fields


def response(schema: Any, **fields: Any) -> dict[str, Any]:
    """A Response Object with a JSON body."""
    return {"description": "An answer.", "content": {"application/json": {"schema": schema}}} | fields


def errors() -> dict[str, Any]:
    """Every error response."""
    envelope = {"$ref": "#/components/schemas/ErrorEnvelope"}
    return {str(status): response(envelope) for status in ERRORS}


def body(schema: Any, **fields: Any) -> dict[str, Any]:
    """A Request Body Object with a JSON body."""
    return {"required": True, "content": {"application/json": {"schema": schema}}} | fields


def parameter(name: str, place: str = "query", schema: Any = None, **fields: Any) -> dict[str, Any]:
    """A Parameter Object; a string unless there is a schema."""
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, "schema": schema or {"type": "string"}} | required | fields


class SmallService:
    """The application of a contract in a file. Handlers that are not given return their arguments.

    Raises ContractError as the start of the service does.
    """

    def __init__(self, file: Path, handlers: Mapping[str, Handler] | None = None, **settings: Any) -> None:
        self.document = contract.load(file)
        conformance.require_supported(self.document)
        self._handlers = dict(handlers or {})
        self._operations = {node.id: node for node in operations(self.document)}
        signatures.require_matching_handlers(self.document, self._find)
        database = one_user_database()
        self.application: App = app.assemble(
            Settings(rate_limit=settings.pop("rate_limit", "off"), **settings),
            self.document,
            Dispatcher(database, enforce=True),
            PEPPER.encode(),
            self._find,
        )

    def ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, json: Any = None) -> Answer:
        """The answer to one request, with Alice's API key unless there are headers."""
        found = self.request(method, path, headers=KEY if headers is None else headers, json=json)
        own = {name: found.headers[name] for name in SHOWN if name in found.headers}
        return Answer(found.status_code, own, _stable(found))

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The response to one request."""
        return asyncio.run(self._request(method, path, options))

    async def _request(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **options)

    def _find(self, tag: str, name: str) -> Handler:
        return self._handlers.get(name) or echo(self._operations[name], tag)


def echo(node: OperationObject, tag: str = "things") -> Handler:
    """A handler that takes every argument of the operation and returns them, with its own name."""

    def handler(**arguments: Any) -> Any:
        return {"handler": f"{tag}.{node.id}", "arguments": {n: v for n, v in arguments.items() if n != "caller"}}

    required, allowed = signatures.arguments(node)
    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in sorted(required | allowed)]
    handler.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return handler


def returning(value: Any) -> Handler:
    """A handler without arguments."""
    return lambda: value


def write(folder: Path, document: Document, **files: Document) -> Path:
    """Writes a contract and the files beside it, each `<name>.json`; returns the path of the contract."""
    for name, content in {**files, "contract": document}.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder / "contract.json"


@cache
def one_user_database() -> Database:
    """A database in memory with Alice and her key, SECRET; one for all small services."""
    database = Database("sqlite://")
    migrate.upgrade(database.url)
    with database.use():
        organizations.join(HOME, ALICE)
        keys.make(HOME, ALICE, (READ, WRITE), pepper=PEPPER.encode(), secret=SECRET)
    return database


def _stable(found: httpx.Response) -> Any:
    if not found.content or not found.headers.get("content-type", "").startswith("application/json"):
        return found.text
    content = found.json()
    if found.status_code >= 400:
        content["error"] |= {"trace_id": "", "timestamp": ""}
    return content
