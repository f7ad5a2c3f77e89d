"""The whole application on a small contract: a few paths and handlers, on a database in memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

import app
from models import keys, organizations
from models.db import migrate
from models.db.database import Database
from settings import Settings
from tools.testing.service import ALICE, HOME, PEPPER, READ, WRITE
from tools.testing.thread_server import serving
from web.contract import document as contract
from web.contract import reading
from web.contract.operations import Operation
from web.contract.schemas import ValidatorCache
from web.dispatch import Dispatcher
from web.router import Router

TEXT = {"type": "string"}
ID = {"name": "id", "in": "path", "required": True, "schema": TEXT}
Handlers = dict[str, Callable[..., Any]]


@dataclass
class SmallService:
    """A running application, a client with alice's API key, and the URL of the server without a path."""

    client: httpx.Client
    database: Database
    url: str

    def key(self, user_id: str = ALICE, scopes: tuple[str, ...] = (READ, WRITE)) -> str:
        """A new API key of a user of HOME."""
        with self.database.use():
            organizations.join(HOME, user_id)
            return keys.make(HOME, user_id, scopes, pepper=PEPPER.encode())[1]


@contextmanager
def small_service(
    paths: dict[str, Any], handlers: Handlers, *, settings: Settings | None = None, **parts: Any
) -> Iterator[SmallService]:
    """The application of `paths`, operations by path and method; `parts` replace parts of the document."""
    database = Database("sqlite://")
    migrate.upgrade(database.url)
    application = app.assemble(
        settings or Settings(rate_limit="off"),
        small_document(paths, **parts),
        Dispatcher(database, enforce=True),
        PEPPER.encode(),
        lambda _tag, name: handlers[name],
    )
    with serving(application) as url, httpx.Client(base_url=f"{url}/v1", trust_env=False) as client:
        service = SmallService(client, database, url)
        client.headers["X-API-Key"] = service.key()
        yield service


def compiled(paths: dict[str, Any], handlers: Handlers) -> Router:
    """The compiled operations, as the application makes them when it starts."""
    document = small_document(paths)
    validators = ValidatorCache(document)
    return Router(Operation(node, validators, handlers[node.id]) for node in reading.operations(document))


def small_document(paths: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """The contract with other paths, whose operations document every error; `parts` replace parts of it."""
    document = copy.deepcopy(contract.document())
    errors = _errors(document)
    for components in parts.pop("components", {}).items():
        document["components"].setdefault(components[0], {}).update(components[1])
    for path in paths.values():
        for method in path.keys() & set(contract.METHODS):
            path[method]["responses"] = errors | path[method]["responses"]
    return document | {"paths": paths} | parts


def operation(name: str, responses: dict[str, Any], **node: Any) -> dict[str, Any]:
    """An Operation Object."""
    return {"operationId": name, "tags": ["small"], "x-rate-limit": "default", "responses": responses, **node}


def response(schema: dict[str, Any], media_type: str = "application/json", **node: Any) -> dict[str, Any]:
    """A Response Object."""
    return {"description": "The response.", "content": {media_type: {"schema": schema}}, **node}


def body(schema: dict[str, Any], *media_types: str, required: bool = True) -> dict[str, Any]:
    """A Request Body Object."""
    content = {name: {"schema": schema} for name in media_types or ("application/json",)}
    return {"required": required, "content": content}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    """The schema of an object without other properties."""
    demanded = {"required": required} if required else {}
    return {"type": "object", "additionalProperties": False, "properties": properties} | demanded


def _errors(document: dict[str, Any]) -> dict[str, Any]:
    """An error response for each status of the contract."""
    operations = [node for path in document["paths"].values() for node in path.values() if isinstance(node, dict)]
    listed = [pair for node in operations for pair in node["responses"].items()]
    return {status: node for status, node in listed if int(status) >= 400}
