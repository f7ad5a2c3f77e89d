"""The front authenticator: everything that serves a request, put together from settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import settings as environment
import web.lazy_imports  # noqa: F401 - before whatever loads Connexion or structlog
from docsite import site
from models import collection_tracks, collections, idempotency, keys
from models.db import connection
from models.interfaces import Stores
from settings import Settings
from web import connexion_app, docs_pages
from web.application import Application
from web.asgi import App
from web.contract import document as contract
from web.contract.operations import Operation
from web.contract.schemas import ValidatorCache
from web.dispatch import Dispatcher
from web.http.cors import CORSPolicy
from web.http.idempotency import IdempotencyGuard
from web.ratelimit import limiter
from web.ratelimit.client_address import TrustedProxies
from web.ratelimit.counters import RedisCounter
from web.router import Router
from web.security.authentication import Authenticator
from web.security.key_usage import KeyUsageRecorder
from web.telemetry import log_config, metrics
from web.threadpool import ThreadPool

if TYPE_CHECKING:
    from mock.memory import Memory
    from web.security.jwt import JWTVerifier

Handler = Callable[..., Any]
STORES: Stores = {
    "collections": collections,
    "collection_tracks": collection_tracks,
    "database": connection,
}


def create_app(settings: Settings) -> Application:
    """The ASGI application. Raises BadSetting, or the failure of a contract and handlers that do not fit."""
    _connect(settings)
    workers = ThreadPool(settings.threads)
    uses = KeyUsageRecorder(keys.record_uses, keys.USE_INTERVAL.total_seconds())
    authenticator = Authenticator(environment.pepper(settings), _tokens(settings), workers, uses)
    runner = Dispatcher(
        IdempotencyGuard(idempotency, connection.transaction), enforce=settings.response_validation == "enforce"
    )
    front = _assembled(settings, lambda node: _handler(node, STORES), authenticator, runner, workers)
    if settings.metrics_dir:
        metrics.request_metrics.start(settings.metrics_dir, _gauges(front), front.limits.rejected)
    return front


def create_mock(settings: Settings, memory: Memory) -> App:
    """The same application on rows in memory: an operation that it cannot do answers with the contract's example."""
    from mock.accounts import PEPPER, People
    from mock.dispatcher import MockDispatcher, not_implemented
    from mock.examples import Examples
    from mock.executor import Inline
    from mock.idempotency import Answers
    from mock.middleware import PreferMiddleware
    from mock.stores import shelves

    stores, workers, people = shelves(memory), Inline(), People(memory)
    uses = KeyUsageRecorder(people.note_uses, keys.USE_INTERVAL.total_seconds())
    authenticator = Authenticator(
        PEPPER, _tokens(settings), workers, uses, find=people.find, organizations_of=people.organizations_of
    )
    runner = MockDispatcher(
        IdempotencyGuard(Answers(memory), memory.transaction), Examples(contract.document()), enforce=True
    )

    def handler(node: dict[str, Any]) -> Handler:
        return _handler(node, stores) if is_kept(node, stores) else not_implemented

    return PreferMiddleware(_assembled(settings, handler, authenticator, runner, workers))


def _connect(settings: Settings) -> None:
    bounds: dict[str, Any] = {"pool_size": settings.threads, "prepare": settings.prepared_statements}
    connection.connect(settings.database_url, **bounds)
    if not settings.database_read_url:
        return
    if not connection.is_postgres():
        raise environment.BadSetting("MUSIC_STUDIO_DATABASE_READ_URL is for PostgreSQL: SQLite has no copies to ask.")
    connection.connect_replica(settings.database_read_url, settle_seconds=settings.replica_lag_seconds, **bounds)


def from_environment() -> App:
    """The application that the MUSIC_STUDIO_* variables describe: what a worker process starts."""
    settings = environment.load()
    log_config.configure(settings.log_format, settings.log_level)
    front = create_app(settings)
    if not settings.otlp_endpoint:
        return front
    from web.telemetry.tracing import TracingMiddleware

    return TracingMiddleware(front, settings.otlp_endpoint, contract.document()["info"]["version"])


def mock_with_demo() -> App:
    """The mock that the same variables describe, with the demo inside."""
    from mock.accounts import People
    from mock.memory import Memory

    settings, memory = environment.load(), Memory()
    log_config.configure(settings.log_format, settings.log_level)
    memory.load_demo()
    People(memory).add_demo()
    return create_mock(settings, memory)


def _assembled(
    settings: Settings,
    handler: Callable[[dict[str, Any]], Handler],
    authenticator: Authenticator,
    runner: Dispatcher,
    workers: ThreadPool,
) -> Application:
    document = contract.document()
    operations = list(_operations(document, settings, handler))
    mount = partial(docs_pages.register_docs, make=site.page, public_url=settings.public_url)
    connexion = connexion_app.create_connexion_app(
        document, operations, runner, workers, mount, threads=settings.threads, lane=True
    )
    return Application(
        connexion,
        Router(operations),
        authenticator,
        _limits(document, operations, settings),
        CORSPolicy(settings.cors_origins),
        most_in_flight=settings.max_concurrency,
        pages=docs_pages.PATH,
        enforce=runner.enforce,
        timed=settings.server_timing,
    )


def _operations(
    document: dict[str, Any], settings: Settings, handler: Callable[[dict[str, Any]], Handler]
) -> Iterator[Operation]:
    rules = ValidatorCache(document)
    for path, item in document["paths"].items():
        for method in contract.METHODS:
            if method in item:
                does = handler(item[method])
                yield Operation(document, rules, path, method, does, demand_if_match=settings.require_if_match)


def _handler(node: dict[str, Any], stores: Stores) -> Handler:
    """The function named by the operationId in the module named by the tag, with the stores that it names."""
    function: Handler = getattr(import_module(f"handlers.{node['tags'][0]}"), node["operationId"])
    given = {name: store for name, store in stores.items() if name in inspect.signature(function).parameters}
    return partial(function, **given) if given else function


def is_kept(node: dict[str, Any], stores: Stores) -> bool:
    """Whether there is a handler, and all that it needs is in these stores.

    A handler of the callers' data names a store; one that names none would reach for the database by itself.
    """
    module = f"handlers.{node['tags'][0]}"
    function = getattr(import_module(module), node["operationId"], None) if find_spec(module) else None
    if function is None:
        return False
    named = set(inspect.signature(function).parameters) & set(Stores.__annotations__)
    return named <= set(stores) and bool(named or node.get("security") == [])


def _limits(document: dict[str, Any], operations: list[Operation], settings: Settings) -> limiter.RateLimiter:
    """The contract's quotas as the operator wants them."""
    rules = {
        limiter.CREDENTIAL: settings.rate_limit,
        limiter.ADDRESS: settings.rate_limit_address,
        limiter.AUTH_FAILURES: settings.rate_limit_refusals,
    }
    quotas = {} if settings.rate_limit == limiter.OFF else limiter.quotas(document, rules)
    shared = RedisCounter(settings.rate_limit_storage) if settings.rate_limit_storage else None
    return limiter.RateLimiter(quotas, operations, TrustedProxies(settings.trusted_proxies), shared)


def _gauges(front: Application) -> metrics.Gauges:
    """What the process holds right now, by the name of its metric."""
    return {
        "requests_in_flight": lambda: front.in_flight,
        "database_connections_in_use": connection.in_use,
        "rate_limit_store_away": lambda: front.limits.is_degraded,
        "memory_bytes": metrics.resident_memory_bytes,
    }


def _tokens(settings: Settings) -> JWTVerifier | None:
    """What verifies JWTs; its library is loaded only where some are taken."""
    if not settings.jwt_secret and not settings.jwt_jwks_file:
        return None
    from web.security.jwt import JWTVerifier

    return JWTVerifier(
        settings.jwt_secret, settings.jwt_jwks_file, settings.jwt_algorithms, settings.jwt_issuer, settings.jwt_audience
    )
