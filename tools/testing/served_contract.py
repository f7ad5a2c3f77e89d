"""A small contract on a real server, for what needs a connection: a few paths and handlers on a database in memory."""

from __future__ import annotations

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
from tools.testing import small_service as small
from tools.testing.service import ALICE, HOME, PEPPER, READ, WRITE
from tools.testing.thread_server import serving
from web.contract import conformance, signatures
from web.dispatch import Dispatcher

TEXT = {"type": "string"}
ID = small.parameter("id", "path")
Handlers = dict[str, Callable[..., Any]]


@dataclass
class ServedContract:
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
def served(
    paths: dict[str, Any],
    handlers: Handlers,
    *,
    settings: Settings | None = None,
    server: dict[str, Any] | None = None,
    **components: Any,
) -> Iterator[ServedContract]:
    """The server of a contract with these paths; raises ContractError as the start of the service does."""
    document = small.document(paths, **components)
    if server is not None:
        document["servers"] = [server]
    conformance.require_supported(document)
    signatures.require_matching_handlers(document, lambda _tag, name: handlers[name])
    database = Database("sqlite://")
    migrate.upgrade(database.url)
    dispatcher = Dispatcher(database, enforce=True)
    application = app.assemble(
        settings or Settings(rate_limit="off"), document, dispatcher, PEPPER.encode(), lambda _tag, name: handlers[name]
    )
    with serving(application) as url, httpx.Client(base_url=f"{url}/v1", trust_env=False) as client:
        service = ServedContract(client, database, url)
        client.headers["X-API-Key"] = service.key()
        yield service


def operation(name: str, responses: dict[str, Any], **node: Any) -> dict[str, Any]:
    """An Operation Object that documents every error besides these responses."""
    return small.operation(name, responses, **node)


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
