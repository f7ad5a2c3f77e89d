"""Connexion's FlaskApp with OperationMiddleware: Connexion loads the specification, finds handlers and runs Flask.

Decision 1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from connexion.apps.flask import FlaskApp
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.options import SwaggerUIOptions
from connexion.resolver import Resolver

from web.contract import objects, views
from web.docs_pages import PageFactory, register_docs
from web.error_envelope import ErrorCatalog
from web.operation_middleware import OperationMiddleware

_UNREAD = ("example", "examples", "headers", "links", "schemas")


def create_connexion_app(
    document: dict[str, Any],
    find_handler: Callable[[str], Callable[..., Any]],
    pages: PageFactory,
    public_url: str,
    errors: ErrorCatalog,
    **parts: Any,
) -> FlaskApp:
    """The FlaskApp of a contract. `find_handler` maps an operationId to its handler; `parts` go to OperationMiddleware.

    `middlewares=` is a public parameter of Connexion. OperationMiddleware replaces Connexion's routing, security and
    validation middlewares, and gets the same specification and resolver.
    """
    path = urlsplit(public_url).path
    middleware = partial(OperationMiddleware, document=document, errors=errors, public_path=path, **parts)
    app = FlaskApp("music_studio", server_args={"static_folder": None}, middlewares=[middleware, LifespanMiddleware])
    app.add_api(
        _spec_for_connexion(document),
        resolver=Resolver(find_handler),
        swagger_ui_options=SwaggerUIOptions(serve_spec=False, swagger_ui=False),
    )
    register_docs(app.app, pages, public_url, errors, views.yaml_path(document))
    return app


def _spec_for_connexion(document: dict[str, Any]) -> dict[str, Any]:
    """A copy of the contract without what Connexion only checks: schemas, examples, headers, links and extensions.

    Checking takes 0.1 s, and Connexion would follow a `$ref` in an example or an `enum`, which is data.
    """
    spec: dict[str, Any] = _copy("OpenAPI", document)
    return spec


def _copy(kind: str, value: Any) -> Any:
    if kind == "Schema":
        return {}
    held = {key: _copy(inner, item) for key, inner, item in objects.members(kind, value)}
    if isinstance(value, list):
        return list(held.values())
    if not isinstance(value, dict) or kind.startswith("{") or objects.is_reference(kind, value):
        return held or value
    return {key: held.get(key, item) for key, item in value.items() if key not in _UNREAD and not key.startswith("x-")}
