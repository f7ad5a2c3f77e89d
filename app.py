"""The front door: everything that serves a request, put together from settings."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import settings as environment
from edge import contract, limits, logs, metrics, pages, stack
from edge.addresses import Proxies
from edge.asgi import App
from edge.auth import Door
from edge.cors import Origins
from edge.counters import Shared
from edge.front import Front
from edge.operations import Operation
from edge.router import Router
from edge.runner import Runner
from edge.schemas import Rules
from edge.uses import Uses
from edge.workers import Workers
from models import database, keys
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
    uses = Uses(keys.note_uses, keys.USE_INTERVAL.total_seconds())
    connexion = stack.build(document, operations, runner, workers, threads=settings.threads, lane=settings.lane)
    front = Front(
        connexion,
        Router(operations),
        Door(environment.pepper(settings), _tokens(settings), workers, uses),
        _limits(document, operations, settings),
        Origins(settings.cors_origins),
        most_in_flight=settings.max_concurrency,
        pages=pages.PATH,
        enforce=runner.enforce,
        timed=settings.server_timing,
    )
    if settings.metrics_folder:
        metrics.meter.start(settings.metrics_folder, _gauges(front, settings), front.limits.refused)
    return front


def from_environment() -> App:
    """The application that the MUSIC_STUDIO_* variables describe: what a worker process starts."""
    settings = environment.load()
    logs.configure(settings.log_format, settings.log_level)
    front = create_app(settings)
    if not settings.otlp_endpoint:
        return front
    from edge.tracing import Traced

    return Traced(front, settings.otlp_endpoint, contract.document()["info"]["version"])


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


def _limits(document: dict[str, Any], operations: list[Operation], settings: Settings) -> limits.Limits:
    """The contract's quotas as the operator wants them."""
    rules = {
        limits.CREDENTIAL: settings.rate_limit,
        limits.ADDRESS: settings.rate_limit_address,
        limits.REFUSALS: settings.rate_limit_refusals,
    }
    quotas = {} if settings.rate_limit == limits.OFF else limits.quotas(document, rules)
    shared = Shared(settings.rate_limit_storage) if settings.rate_limit_storage else None
    return limits.Limits(quotas, operations, Proxies(settings.trusted_proxies), shared)


def _gauges(front: Front, settings: Settings) -> metrics.Gauges:
    """What the process holds right now, by the name of its metric."""
    return {
        "requests_in_flight": lambda: front.in_flight,
        "database_connections_in_use": database.in_use,
        "database_connections_limit": lambda: settings.threads + 1,
        "rate_limit_store_away": lambda: front.limits.alone,
        "memory_bytes": metrics.memory,
    }


def _tokens(settings: Settings) -> Tokens | None:
    """What verifies JWTs; its library is loaded only where some are taken."""
    if not settings.jwt_secret and not settings.jwt_jwks_file:
        return None
    from edge.tokens import Tokens

    return Tokens(
        settings.jwt_secret, settings.jwt_jwks_file, settings.jwt_algorithms, settings.jwt_issuer, settings.jwt_audience
    )
