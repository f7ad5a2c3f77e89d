"""Factories of the parts of the application: each from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import settings as environment
import web.lazy_imports  # noqa: F401 - must precede every import of Connexion or structlog
from models.audio_store import AudioStore
from models.db.database import Database
from models.share_tokens import ShareTokens
from settings import Settings
from studio.engines import command_catalog
from studio.engines.catalog import Capabilities
from web.concurrency import ConcurrencyLimiter
from web.contract.reading import operations
from web.generation_settings import GenerationSettings
from web.playback import AUDIO_OPERATION, Playback, PlaybackOptions
from web.ratelimit import quotas
from web.ratelimit.client_address import TrustedProxies
from web.ratelimit.counters import RedisCounter
from web.ratelimit.limiter import RateLimiter
from web.resolve_counter import ResolveCounter
from web.security.authentication import Authenticator
from web.security.key_usage import KeyUsageRecorder
from web.security.signed_urls import URLSealer
from web.server.memory_limiter import MIB, MemoryLimiter
from web.sharing import RESOLVE_OPERATION, Sharing

if TYPE_CHECKING:
    from web.security.jwt import JWTVerifier


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


def engines(settings: Settings) -> dict[str, Capabilities]:
    """Our own engines and the programs of the operator, by key. Raises BadSetting."""
    try:
        return command_catalog.all_engines(settings.command_engines)
    except command_catalog.BadEngines as problem:
        raise environment.BadSetting(f"{problem}.") from None


def generation_settings(settings: Settings) -> GenerationSettings:
    """What requests for music need to know. Raises BadSetting."""
    return GenerationSettings(engines(settings), settings.max_active_jobs, settings.organization_audio_mib)


def rate_limiter(document: dict[str, Any], settings: Settings, proxies: TrustedProxies) -> RateLimiter:
    """The rate limiter with the contract's quotas, as changed by the settings."""
    rates = {
        quotas.CREDENTIAL: settings.rate_limit,
        quotas.ADDRESS: settings.rate_limit_address,
        quotas.AUTH_FAILURES: settings.rate_limit_auth_failures,
        quotas.SHARES: settings.rate_limit_shares,
    }
    enabled = {} if settings.rate_limit == quotas.OFF else quotas.quotas(document, rates)
    shared = RedisCounter(settings.rate_limit_storage) if settings.rate_limit_storage else None
    return RateLimiter(enabled, operations(document), proxies, shared)


def playback(settings: Settings, document: dict[str, Any], pepper: bytes, audio: AudioStore | None) -> Playback | None:
    path = _path_of(AUDIO_OPERATION, document)
    if path is None or audio is None:
        return None
    options = PlaybackOptions(
        path, settings.public_url, settings.audio_url_seconds, settings.audio_accel, settings.audio_direct
    )
    return Playback(audio, URLSealer(pepper), options)


def sharing(settings: Settings, document: dict[str, Any], pepper: bytes, database: Database) -> Sharing | None:
    path = _path_of(RESOLVE_OPERATION, document)
    if path is None:
        return None
    return Sharing(ShareTokens(pepper), ResolveCounter(database), path, settings.public_url)


def _path_of(operation_id: str, document: dict[str, Any]) -> str | None:
    return next((operation.path for operation in operations(document) if operation.id == operation_id), None)


def concurrency(settings: Settings) -> ConcurrencyLimiter:
    return ConcurrencyLimiter(settings.max_concurrency, settings.max_bodies_per_credential)


def memory_limiter(settings: Settings, proxies: TrustedProxies) -> MemoryLimiter:
    limits = settings.connection_memory_mib * MIB, settings.address_memory_mib * MIB
    return MemoryLimiter(*limits, proxies.peer_address)


def authenticator(settings: Settings, database: Database, pepper: bytes) -> Authenticator:
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
