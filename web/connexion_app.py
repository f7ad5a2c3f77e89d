"""Connexion's FlaskApp around our middleware: Connexion loads the specification, finds handlers and runs Flask."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

from connexion.apps.flask import FlaskApp
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.options import SwaggerUIOptions
from connexion.resolver import Resolver

from web.docs_pages import PageFactory, register_docs
from web.error_envelope import ErrorCatalog
from web.operation_middleware import OperationMiddleware


def create_connexion_app(
    document: dict[str, Any],
    find_handler: Callable[[str], Callable[..., Any]],
    pages: PageFactory,
    public_url: str,
    errors: ErrorCatalog,
    **parts: Any,
) -> FlaskApp:
    """The FlaskApp of a contract; `find_handler` gives the handler of an operationId, `parts` are the middleware's.

    `middlewares=` is Connexion's own parameter. In the place of its routing, security and validation middlewares stands
    ours, which is given the same specification and resolver.
    """
    middleware = partial(OperationMiddleware, errors=errors, **parts)
    app = FlaskApp("music_studio", server_args={"static_folder": None}, middlewares=[middleware, LifespanMiddleware])
    app.add_api(
        copy.deepcopy(document),  # Connexion adds defaults to what it is given
        resolver=Resolver(find_handler),
        swagger_ui_options=SwaggerUIOptions(serve_spec=False, swagger_ui=False),
    )
    register_docs(app.app, pages, public_url, errors)
    return app
