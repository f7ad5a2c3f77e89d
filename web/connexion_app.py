"""Connexion's FlaskApp with OperationMiddleware: Connexion loads the specification, finds handlers and runs Flask.

Decision 1.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

from connexion.apps.flask import FlaskApp
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.options import SwaggerUIOptions
from connexion.resolver import Resolver

from web.contract import views
from web.contract.reading import operations
from web.docs_pages import PageFactory, register_docs
from web.error_envelope import ErrorCatalog
from web.operation_middleware import OperationMiddleware

_UNREAD = ("examples", "headers", "links")


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
    middleware = partial(OperationMiddleware, document=document, errors=errors, **parts)
    app = FlaskApp("music_studio", server_args={"static_folder": None}, middlewares=[middleware, LifespanMiddleware])
    app.add_api(
        _spec_for_connexion(document),
        resolver=Resolver(find_handler),
        swagger_ui_options=SwaggerUIOptions(serve_spec=False, swagger_ui=False),
    )
    register_docs(app.app, pages, public_url, errors, views.yaml_path(document))
    return app


def _spec_for_connexion(document: dict[str, Any]) -> dict[str, Any]:
    """A copy of the contract without examples, headers and links: Connexion only checks them, which takes 0.1 s."""
    components = {section: nodes for section, nodes in document["components"].items() if section not in _UNREAD}
    copied = copy.deepcopy({**document, "components": components})  # Connexion adds defaults to the document
    shared = copied["components"].get("responses", {}).values()
    own = (response for operation in operations(copied) for response in operation.node["responses"].values())
    for response in (*shared, *own):
        for part in _UNREAD:
            response.pop(part, None)
        for media_type in response.get("content", {}).values():
            media_type.pop("examples", None)
    return copied
