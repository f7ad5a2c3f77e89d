"""Connexion's middleware with OperationMiddleware: Connexion loads the specification, finds handlers and runs Flask.

Decision 1.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

from connexion.middleware.lifespan import LifespanMiddleware
from connexion.middleware.main import ConnexionMiddleware
from connexion.options import SwaggerUIOptions
from connexion.resolver import Resolver

from web.asgi import Receive, Scope, Send
from web.contract import views
from web.contract.objects import METHODS
from web.docs_pages import PageFactory
from web.error_envelope import ErrorCatalog
from web.operation_middleware import OperationMiddleware

_NAME = "music_studio"


def create_connexion_app(
    document: dict[str, Any],
    find_handler: Callable[[str], Callable[..., Any]],
    make_pages: Callable[[], PageFactory],
    public_url: str,
    errors: ErrorCatalog,
    **parts: Any,
) -> ConnexionMiddleware:
    """Connexion on a contract. `find_handler` maps an operationId to its handler; `parts` go to OperationMiddleware.

    `middlewares=` is a public parameter of Connexion. OperationMiddleware replaces Connexion's routing, security and
    validation middlewares, and gets the same specification and resolver.
    """
    path = urlsplit(public_url).path
    middleware = partial(OperationMiddleware, document=document, errors=errors, public_path=path, **parts)

    flask_app = MadeOnFirstUse(partial(_flask_pages, make_pages, public_url, errors, views.yaml_path(document)))
    middlewares: list[Any] = [middleware, LifespanMiddleware]
    app = ConnexionMiddleware(flask_app, import_name=_NAME, middlewares=middlewares, lifespan=flask_app.lifespan)
    app.add_api(
        _spec_for_connexion(document),
        resolver=Resolver(find_handler),
        swagger_ui_options=SwaggerUIOptions(serve_spec=False, swagger_ui=False),
    )
    return app


class Closeable(Protocol):
    """An ASGI application that has something to close."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def close(self) -> None:
        """Called once, after the last request."""


class MadeOnFirstUse:
    """An application that is made for its first request, in a thread, so that others are answered meanwhile.

    What `make` raises, the request raises, and the next one tries again.
    """

    def __init__(self, make: Callable[[], Closeable]) -> None:
        self._make = make
        self._app: Closeable | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._making:
            if self._app is None:
                self._app = await asyncio.to_thread(self._make)
        await self._app(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        """Closes the application, if it was made, after the requests."""
        yield
        if self._app is not None:
            self._app.close()


def _flask_pages(
    make_pages: Callable[[], PageFactory], public_url: str, errors: ErrorCatalog, yaml_path: str
) -> Closeable:
    from web.flask_pages import FlaskPages  # imports Flask, which no operation needs

    return FlaskPages(make_pages(), public_url, errors, yaml_path)


def _spec_for_connexion(document: dict[str, Any]) -> dict[str, Any]:
    """What Connexion reads of the contract to find the handlers: the operations and their ids.

    The rest is checked when the contract is compiled, by Connexion too; see web/contract/specification.py.
    """
    paths = {path: _operations(item) for path, item in document["paths"].items()}
    return {name: document[name] for name in ("openapi", "info", "servers") if name in document} | {"paths": paths}


def _operations(item: dict[str, Any]) -> dict[str, Any]:
    responses = {"default": {"description": ""}}
    return {
        name: {"operationId": item[name]["operationId"], "responses": responses} for name in METHODS if name in item
    }
