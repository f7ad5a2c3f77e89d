"""Connexion, put together: the one module that knows how its FlaskApp is fed, and its private parts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import flask
from a2wsgi import WSGIMiddleware
from connexion.apps.flask import FlaskApp
from connexion.exceptions import ProblemException
from connexion.lifecycle import ConnexionResponse
from connexion.middleware.main import MiddlewarePosition
from connexion.options import SwaggerUIOptions
from connexion.resolver import Resolver
from starlette.exceptions import HTTPException

from web import exceptions as errors
from web.connexion_validators import SLOTS
from web.context import current_request
from web.contract.document import METHODS
from web.contract.operations import Operation
from web.dispatch import Dispatcher
from web.operation_middleware import OperationMiddleware
from web.threadpool import ThreadPool

CONFIRM = "web.security.authentication.confirm"
# Connexion looks at these of a response only to say that they are right, which the linters have said before.
_UNREAD = ("examples", "headers", "links")


def create_connexion_app(document: dict[str, Any], operations: list[Operation], runner: Dispatcher, workers: ThreadPool,
          mount: Callable[[flask.Flask], None], *, threads: int, lane: bool) -> FlaskApp:  # fmt: skip
    """Connexion's FlaskApp with the contract, the compiled validators in its slots and the lane in front.

    `mount` adds to Flask what is no operation of the contract.
    """
    app = FlaskApp("music_studio", server_args={"static_folder": None})
    app.add_api(
        _spec_for_connexion(document),
        resolver=Resolver({o.id: _view(o, runner) for o in operations}.__getitem__),
        validator_map=SLOTS,
        validate_responses=runner.enforce,
        swagger_ui_options=SwaggerUIOptions(serve_spec=False, swagger_ui=False),
    )
    for kind in (Exception, HTTPException, ProblemException):
        app.add_error_handler(kind, _rendered)
    app.add_middleware(
        OperationMiddleware,
        position=MiddlewarePosition.BEFORE_EXCEPTION,
        runner=runner,
        workers=workers,
        everything=lane,
    )
    mount(app.app)
    _widen(app, threads)
    return app


def _spec_for_connexion(document: dict[str, Any]) -> dict[str, Any]:
    """A copy of the contract with the names that only Connexion needs, without what it checks and never reads."""
    copied = copy.deepcopy(document)
    for scheme in copied["components"]["securitySchemes"].values():
        scheme["x-apikeyInfoFunc" if scheme["type"] == "apiKey" else "x-bearerInfoFunc"] = CONFIRM
    for section in _UNREAD:
        copied["components"].pop(section, None)
    for response in _responses(copied):
        for part in _UNREAD:
            response.pop(part, None)
        for media_type in response.get("content", {}).values():
            media_type.pop("examples", None)
    return copied


def _responses(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The responses of every operation, and those that they share by name."""
    yield from document["components"]["responses"].values()
    for item in document["paths"].values():
        for method in item.keys() & METHODS:
            yield from item[method]["responses"].values()


def _view(operation: Operation, runner: Dispatcher) -> Callable[[], Any]:
    """What Flask calls for an operation; validation has left the arguments on the exchange, so its own are not used."""

    def view(**_: Any) -> flask.Response:
        context = current_request.get()
        if context.operation is not operation:
            raise RuntimeError("Connexion's router and ours disagree")
        answer = runner.call_sync(context)
        return flask.Response(answer.body, answer.status, answer.headers | {"x-request-id": context.request_id})

    return view


def _rendered(_request: Any, error: Exception) -> ConnexionResponse:
    answer = errors.to_response(error, current_request.get().request_id)
    return ConnexionResponse(answer.status, body=answer.body, headers=answer.headers, content_type="application/json")


def _widen(app: FlaskApp, threads: int) -> None:
    """Gives Flask as many threads as the database has connections; Connexion fixes ten (its issue 1979 is open)."""
    wsgi: Any = app.app.wsgi_app
    app._middleware_app.asgi_app = WSGIMiddleware(wsgi, workers=threads)  # noqa: SLF001 - there is no public way
