"""The front door: everything that serves a request, put together from settings."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import settings as environment
from edge import contract, logs, pages, stack
from edge.auth import Door
from edge.cors import Origins
from edge.front import Front
from edge.limits import Quota
from edge.operations import Operation
from edge.router import Router
from edge.runner import Runner
from edge.schemas import Rules
from edge.workers import Workers
from models import database
from settings import Settings

if TYPE_CHECKING:
    from edge.tokens import Tokens


def create_app(settings: Settings) -> Front:
    """The ASGI application. Raises BadSetting, or the failure of a contract and handlers that do not fit."""
    database.connect(settings.database_url, pool_size=settings.threads, prepare=settings.database_prepare)
    document = contract.document()
    operations = list(_operations(document, settings))
    runner = Runner(enforce=settings.response_validation == "enforce")
    workers = Workers(settings.threads)
    connexion = stack.build(document, operations, runner, workers, threads=settings.threads, lane=settings.lane)
    return Front(
        connexion,
        Router(operations),
        Door(environment.pepper(settings), _tokens(settings), workers),
        Quota(settings.rate_limit),
        Origins(settings.cors_origins),
        most_in_flight=settings.max_concurrency,
        pages=pages.PATH,
        enforce=runner.enforce,
    )


def from_environment() -> Front:
    """The application that the MUSIC_STUDIO_* variables describe: what a worker process starts."""
    settings = environment.load()
    logs.configure(settings.log_format, settings.log_level)
    return create_app(settings)


def _operations(document: dict[str, Any], settings: Settings) -> Any:
    rules = Rules(document)
    for path, item in document["paths"].items():
        for method in contract.METHODS:
            if method in item:
                handler = _handler(item[method])
                yield Operation(document, rules, path, method, handler, demand_if_match=settings.require_if_match)


def _handler(node: dict[str, Any]) -> Callable[..., Any]:
    """The function named by the operationId in the module named by the tag."""
    handler: Callable[..., Any] = getattr(import_module(f"handlers.{node['tags'][0]}"), node["operationId"])
    return handler


def _tokens(settings: Settings) -> Tokens | None:
    """What verifies JWTs; its library is loaded only where some are taken."""
    if not settings.jwt_secret and not settings.jwt_jwks_file:
        return None
    from edge.tokens import Tokens

    return Tokens(
        settings.jwt_secret, settings.jwt_jwks_file, settings.jwt_algorithms, settings.jwt_issuer, settings.jwt_audience
    )
