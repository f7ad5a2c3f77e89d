"""Application factories: build the service or the mock from settings. Two applications share no state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import factories
import settings as environment
import web.lazy_imports  # noqa: F401 - must precede every import of Connexion or structlog
from mock.options import DEFAULTS, MockOptions
from models.audio_store import AudioStore
from settings import Settings
from web import connexion_app
from web.application import Application
from web.asgi import App
from web.contract import compiled, signatures
from web.contract.reading import operations
from web.contract.views import Contract
from web.dispatch import Dispatcher
from web.error_envelope import ErrorCatalog
from web.http.cors import CORSPolicy
from web.ratelimit.client_address import TrustedProxies
from web.telemetry import log_config, metrics

if TYPE_CHECKING:
    from mock.application import Mock
    from mock.proxy import Proxy
    from web.docs_pages import PageFactory

Handler = Callable[..., Any]


def create_app(settings: Settings) -> Application:
    """The ASGI application, with its own Database.

    Raises BadSetting, ContractError, and CommandError for an unusable key pepper.
    """
    document = load_contract(settings)
    signatures.require_matching_handlers(document, find_handler)
    database = factories.open_database(settings)
    dispatcher = Dispatcher(database, enforce=settings.response_validation == "enforce")
    store = factories.open_audio_store(settings)
    return assemble(settings, document, dispatcher, environment.pepper(settings), find_handler, store)


def create_mock(settings: Settings, options: MockOptions = DEFAULTS) -> Mock:
    """The mock: the same application on in-memory SQLite; operations without a handler give the contract's examples.

    Raises ContractError, and CommandError for unusable data. Decision 4.
    """
    from mock.application import Mock
    from mock.dispatcher import not_implemented

    document = load_contract(settings)
    signatures.require_matching_handlers(document, _implemented)
    settings = replace(settings, cors_origins=settings.cors_origins or ("*",))

    def handler(tag: str, name: str) -> Handler:
        return _implemented(tag, name) or not_implemented

    def build(dispatcher: Dispatcher, pepper: bytes, store: AudioStore) -> Application:
        return assemble(settings, document, dispatcher, pepper, handler, store)

    return Mock(document, factories.engines(settings), options, build)


def create_proxy(settings: Settings, server: str) -> Proxy:
    """The proxy that checks the exchanges with `server` against the contract. Raises ContractError."""
    from mock.proxy import Proxy

    document = load_contract(settings)
    memory = factories.memory_limiter(settings, TrustedProxies(settings.trusted_proxies))
    return Proxy(server, document, ErrorCatalog(document), memory)


def from_environment() -> App:
    """The application configured by the MUSIC_STUDIO_* variables; the factory of each worker process."""
    settings = environment.load()
    writer = log_config.configure(settings.log_format, settings.log_level)
    application = create_app(settings)
    if settings.metrics_dir:
        gauges, rejections = _gauges(application), application.limiter.rejected
        metrics.request_metrics.start(settings.metrics_dir, gauges, rejections, lambda: writer.lost)
    if not settings.otlp_endpoint:
        return application
    from web.telemetry.tracing import TracingMiddleware

    return TracingMiddleware(application, settings.otlp_endpoint, application.contract.document["info"]["version"])


def load_contract(settings: Settings) -> dict[str, Any]:
    """The contract of the settings. Raises ContractError unless the service does everything that it says."""
    return compiled.load(Path(settings.contract))


def assemble(
    settings: Settings,
    document: dict[str, Any],
    dispatcher: Dispatcher,
    pepper: bytes,
    find: Callable[[str, str], Handler],
    audio: AudioStore | None = None,
) -> Application:
    """The application of a contract; `find` returns the handler for a tag and an operationId."""
    errors, cors = ErrorCatalog(document, settings.public_url), CORSPolicy(settings.cors_origins, document)
    database, proxies = dispatcher.database, TrustedProxies(settings.trusted_proxies)
    limiter, concurrency = factories.rate_limiter(document, settings, proxies), factories.concurrency(settings)
    connexion = connexion_app.create_connexion_app(
        document,
        _by_operation(document, find),
        partial(_pages, document, urlsplit(settings.public_url).path),
        settings.public_url,
        errors,
        dispatcher=dispatcher,
        authenticator=factories.authenticator(settings, database, pepper),
        limiter=limiter,
        concurrency=concurrency,
        cors=cors,
        body_timeout_seconds=settings.body_timeout_seconds,
        require_if_match=settings.require_if_match,
    )
    return Application(
        connexion,
        Contract(document, settings.public_url),
        database,
        limiter,
        cors,
        errors,
        concurrency=concurrency,
        playback=factories.playback(settings, document, pepper, audio),
        sharing=factories.sharing(settings, document, pepper, database),
        memory=factories.memory_limiter(settings, proxies),
        generation=factories.generation_settings(settings),
        server_timing=settings.server_timing,
    )


def _pages(document: dict[str, Any], public_path: str) -> PageFactory:
    from docsite.site import PageMaker  # imports what makes HTML, which no operation needs

    return PageMaker(document, public_path)


def _by_operation(document: dict[str, Any], find: Callable[[str, str], Handler]) -> Callable[[str], Handler]:
    """Finds the handler for an operationId."""
    tags = {operation.id: operation.node["tags"][0] for operation in operations(document)}
    return lambda name: find(tags[name], name)


def find_handler(tag: str, name: str) -> Handler:
    """The function named by the operationId in the module named by the tag."""
    handler: Handler = getattr(import_module(f"handlers.{tag}"), name)
    return handler


def _implemented(tag: str, name: str) -> Handler | None:
    """The handler, or None if the operation has none yet."""
    if find_spec(f"handlers.{tag}") is None or not hasattr(import_module(f"handlers.{tag}"), name):
        return None
    return find_handler(tag, name)


def _gauges(application: Application) -> metrics.Gauges:
    """Functions that read the gauges of this process, by metric name."""
    return {
        "requests_in_flight": lambda: application.concurrency.in_flight,
        "database_connections_in_use": lambda: application.database.in_use,
        "rate_limit_store_unavailable": lambda: application.limiter.is_degraded,
        "memory_bytes": metrics.resident_memory_bytes,
    }
