"""Application factories: build the service or the mock from settings. Two applications share no state."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import settings as environment
import web.lazy_imports  # noqa: F401 - must precede every import of Connexion or structlog
from docsite.site import PageMaker
from models.audio_store import AudioStore
from models.db.database import Database
from settings import Settings
from studio.engines import command_catalog
from studio.engines.catalog import Capabilities
from web import connexion_app
from web.application import Application
from web.asgi import App
from web.concurrency import ConcurrencyLimiter
from web.contract import conformance, signatures
from web.contract import document as contract
from web.contract.reading import operations
from web.contract.views import Contract
from web.dispatch import Dispatcher
from web.error_envelope import ErrorCatalog
from web.generation_settings import GenerationSettings
from web.http.cors import CORSPolicy
from web.playback import AUDIO_OPERATION, Playback, PlaybackOptions
from web.ratelimit import quotas
from web.ratelimit.client_address import TrustedProxies
from web.ratelimit.counters import RedisCounter
from web.ratelimit.limiter import RateLimiter
from web.security.authentication import Authenticator
from web.security.key_usage import KeyUsageRecorder
from web.security.signed_urls import URLSealer
from web.server.memory_limiter import MIB, MemoryLimiter
from web.telemetry import log_config, metrics

if TYPE_CHECKING:
    from web.security.jwt import JWTVerifier

Handler = Callable[..., Any]


def create_app(settings: Settings) -> Application:
    """The ASGI application, with its own Database.

    Raises BadSetting, ContractError, and CommandError for an unusable key pepper.
    """
    document = load_contract(settings)
    signatures.require_matching_handlers(document, find_handler)
    database = open_database(settings)
    dispatcher = Dispatcher(database, enforce=settings.response_validation == "enforce")
    store = open_audio_store(settings)
    return assemble(settings, document, dispatcher, environment.pepper(settings), find_handler, store)


def create_mock(settings: Settings) -> App:
    """The mock: the same application on in-memory SQLite with the demo data; operations without handler give examples.

    Decision 4.
    """
    from mock.accounts import PEPPER, open_demo_database
    from mock.dispatcher import MockDispatcher, not_implemented
    from mock.examples import Examples
    from mock.jobs import MockWorker
    from mock.middleware import PreferMiddleware

    document = load_contract(settings)
    signatures.require_matching_handlers(document, _implemented)
    store = AudioStore("memory:///")
    database = open_demo_database(store)
    dispatcher = MockDispatcher(
        database, Examples(document, ErrorCatalog(document)), MockWorker(store, _engines(settings))
    )

    def handler(tag: str, name: str) -> Handler:
        return _implemented(tag, name) or not_implemented

    return PreferMiddleware(assemble(settings, document, dispatcher, PEPPER, handler, store))


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


def mock_from_environment() -> App:
    """The mock configured by the MUSIC_STUDIO_* variables."""
    settings = environment.load()
    log_config.configure(settings.log_format, settings.log_level)
    return create_mock(settings)


def load_contract(settings: Settings) -> dict[str, Any]:
    """The contract of the settings. Raises ContractError unless the service does everything that it says."""
    document = contract.load(Path(settings.contract))
    conformance.require_supported(document)
    return document


def open_database(settings: Settings) -> Database:
    """The Database of the settings, with its replica if there is one. Raises BadSetting."""
    database = Database(
        settings.database_url,
        pool_size=settings.threads,
        prepared_statements=settings.prepared_statements,
        replica_url=settings.database_read_url,
        replica_lag_seconds=settings.replica_lag_seconds,
    )
    if settings.database_read_url and not database.is_postgres:
        raise environment.BadSetting("MUSIC_STUDIO_DATABASE_READ_URL is for PostgreSQL: SQLite has no replicas.")
    return database


def open_audio_store(settings: Settings) -> AudioStore:
    """The audio store of the settings. Raises BadSetting, AudioUnavailable."""
    url = environment.audio_url(settings)
    if settings.audio_direct and not url.startswith("s3:"):
        raise environment.BadSetting("MUSIC_STUDIO_AUDIO_DIRECT is for S3: a folder signs no URLs.")
    if settings.audio_accel and not url.startswith("file:"):
        raise environment.BadSetting("MUSIC_STUDIO_AUDIO_ACCEL is for a folder: nginx does not read S3.")
    return AudioStore(url)


def assemble(
    settings: Settings,
    document: dict[str, Any],
    dispatcher: Dispatcher,
    pepper: bytes,
    find: Callable[[str, str], Handler],
    audio: AudioStore | None = None,
) -> Application:
    """The application of a contract; `find` returns the handler for a tag and an operationId.

    `audio` is None for a contract without audio.
    """
    public_url = settings.public_url
    errors, cors = ErrorCatalog(document, public_url), CORSPolicy(settings.cors_origins, document)
    database, proxies = dispatcher.database, TrustedProxies(settings.trusted_proxies)
    limiter = _limiter(document, settings, proxies)
    concurrency = ConcurrencyLimiter(settings.max_concurrency, settings.max_bodies_per_credential)
    tags = {operation.id: operation.node["tags"][0] for operation in operations(document)}
    connexion = connexion_app.create_connexion_app(
        document,
        lambda name: find(tags[name], name),
        PageMaker(document, urlsplit(settings.public_url).path),
        settings.public_url,
        errors,
        dispatcher=dispatcher,
        authenticator=_authenticator(settings, database, pepper),
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
        playback=_playback(settings, document, pepper, audio),
        memory=_memory_limiter(settings, proxies),
        generation=GenerationSettings(_engines(settings), settings.max_active_jobs, settings.organization_audio_mib),
        server_timing=settings.server_timing,
    )


def find_handler(tag: str, name: str) -> Handler:
    """The function named by the operationId in the module named by the tag."""
    handler: Handler = getattr(import_module(f"handlers.{tag}"), name)
    return handler


def _implemented(tag: str, name: str) -> Handler | None:
    """The handler, or None if the operation has none yet."""
    if find_spec(f"handlers.{tag}") is None or not hasattr(import_module(f"handlers.{tag}"), name):
        return None
    return find_handler(tag, name)


def _engines(settings: Settings) -> dict[str, Capabilities]:
    """Our own engines and the programs of the operator, by key. Raises BadSetting."""
    try:
        return command_catalog.all_engines(settings.command_engines)
    except command_catalog.BadEngines as problem:
        raise environment.BadSetting(f"{problem}.") from None


def _limiter(document: dict[str, Any], settings: Settings, proxies: TrustedProxies) -> RateLimiter:
    """The rate limiter with the contract's quotas, as changed by the settings."""
    rates = {
        quotas.CREDENTIAL: settings.rate_limit,
        quotas.ADDRESS: settings.rate_limit_address,
        quotas.AUTH_FAILURES: settings.rate_limit_auth_failures,
    }
    enabled = {} if settings.rate_limit == quotas.OFF else quotas.quotas(document, rates)
    shared = RedisCounter(settings.rate_limit_storage) if settings.rate_limit_storage else None
    return RateLimiter(enabled, operations(document), proxies, shared)


def _playback(settings: Settings, document: dict[str, Any], pepper: bytes, audio: AudioStore | None) -> Playback | None:
    path = next((operation.path for operation in operations(document) if operation.id == AUDIO_OPERATION), None)
    if path is None or audio is None:
        return None
    options = PlaybackOptions(
        path, settings.public_url, settings.audio_url_seconds, settings.audio_accel, settings.audio_direct
    )
    return Playback(audio, URLSealer(pepper), options)


def _memory_limiter(settings: Settings, proxies: TrustedProxies) -> MemoryLimiter:
    limits = settings.connection_memory_mib * MIB, settings.address_memory_mib * MIB
    return MemoryLimiter(*limits, proxies.peer_address)


def _gauges(application: Application) -> metrics.Gauges:
    """Functions that read the gauges of this process, by metric name."""
    return {
        "requests_in_flight": lambda: application.concurrency.in_flight,
        "database_connections_in_use": lambda: application.database.in_use,
        "rate_limit_store_unavailable": lambda: application.limiter.is_degraded,
        "memory_bytes": metrics.resident_memory_bytes,
    }


def _authenticator(settings: Settings, database: Database, pepper: bytes) -> Authenticator:
    """Raises BadSetting."""
    verifier, usage = _jwt_verifier(settings), KeyUsageRecorder(database)
    return Authenticator(database, pepper, verifier, usage, key_cache_seconds=settings.key_cache_seconds)


def _jwt_verifier(settings: Settings) -> JWTVerifier | None:
    """The JWT verifier, or None if none is configured; its library is imported only when it is needed.

    Raises BadSetting.
    """
    if not settings.jwt_secret and not settings.jwt_jwks_file:
        return None
    from web.security.jwt import JWTVerifier

    keys = (settings.jwt_secret, settings.jwt_jwks_file, settings.jwt_algorithms)
    try:
        return JWTVerifier(*keys, settings.jwt_issuer, settings.jwt_audience)
    except ValueError as problem:
        raise environment.BadSetting(f"MUSIC_STUDIO_{problem}.") from None
