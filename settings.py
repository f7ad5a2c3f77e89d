"""Settings: the MUSIC_STUDIO_* variables, read once, checked, with their meaning."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

import setting_checks
from ops import key_pepper
from setting_checks import PREFIX, BadSetting
from setting_parsers import (
    audio_store,
    collector,
    database,
    file,
    jwt_algorithms,
    location,
    networks,
    one_of,
    origin,
    origins,
    quota,
    replica,
    seconds,
    secret,
    store,
    switch,
    whole,
)
from web.redaction import mask_url

__all__ = ["PREFIX", "BadSetting", "Settings", "audio_url", "load", "pepper", "variable", "with_options"]

OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"  # the name that OpenTelemetry has given it
ROOT = Path(__file__).parent
CONTRACT = str(ROOT / "openapi" / "openapi.yaml")
# The folder of the key pepper: of a checkout its own, of an installed program (its launcher lies here) the current one.
VAR = Path("var") if (ROOT / "launcher.py").is_file() else ROOT / "var"


def _setting(
    default: Any, meaning: str, parse: Callable[[str], Any] = str, *, is_secret: bool = False, variable: str = ""
) -> Any:
    metadata = {"meaning": meaning, "parse": parse, "is_secret": is_secret, "variable": variable}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str = _setting(
        "sqlite:///var/music-studio.db", "database: sqlite:///FILE or postgresql://...", database
    )
    database_read_url: str = _setting(
        "", "read replica of the PostgreSQL database, used by GET requests: postgresql://...", replica
    )
    replica_lag_seconds: int = _setting(
        5, "seconds for which a user reads from the primary after a write; more than the replica lags", whole(0, 3600)
    )
    prepared_statements: bool = _setting(
        True, "PostgreSQL: use prepared statements and session settings; off behind a transaction pooler", switch
    )
    demo_audio: str = _setting(
        "music", "audio of the demo's tracks: music, tone (of the same length) or none", one_of("music", "tone", "none")
    )
    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(8080, "port to listen on; 0 takes a free one", whole(0, 65535))
    workers: int = _setting(1, "number of worker processes", whole(1, 256))
    workers_studio: int = _setting(1, "number of processes that make music beside a server; 0: none", whole(0, 64))
    worker_dir: str = _setting(
        "",
        "folder of the processes that make music, for locks and temporary files; empty: `workers` beside the database",
    )
    min_free_mib: int = _setting(
        1024, "MiB of free disk space without which no piece is started", whole(0, 100_000_000)
    )
    command_engines: str = _setting("", "TOML file of programs that are engines too, see the manual", file)
    policy: str = _setting("", "TOML file of words and patterns for which a piece is refused, see the manual", file)
    generation_days: int = _setting(
        90,
        "days for which ended jobs and their prompts are kept; usage of a month is counted from them",
        whole(32, 3650),
    )
    threads: int = _setting(10, "worker threads, and database connections, of each process", whole(1, 256))
    header_timeout_seconds: int = _setting(10, "seconds in which the header of a request must arrive", whole(1, 3600))
    body_timeout_seconds: int = _setting(30, "seconds in which the body of a request must arrive", whole(1, 3600))
    write_timeout_seconds: int = _setting(30, "seconds in which a client must read a response", whole(1, 3600))
    keep_alive_timeout_seconds: int = _setting(75, "seconds that an idle connection stays open", whole(1, 3600))
    shutdown_timeout_seconds: int = _setting(
        20, "seconds that open requests get to finish when the server stops", whole(0, 3600)
    )
    max_concurrency: int = _setting(
        256,
        "authenticated, complete requests in flight in one process; the server answers 503 to more",
        whole(1, 100_000),
    )
    max_bodies_per_credential: int = _setting(
        64,
        "request bodies that one credential sends at once to one process; the server answers 503 to more",
        whole(1, 100_000),
    )
    connection_memory_mib: int = _setting(
        64, "MiB that all connections of one process may hold; beyond it the largest are closed", whole(1, 1_000_000)
    )
    address_memory_mib: int = _setting(
        16, "MiB of them that one client address may hold; beyond it its largest are closed", whole(1, 1_000_000)
    )
    max_active_jobs: int = _setting(
        10, "queued and running jobs that one user may have in an organization", whole(1, 100_000)
    )
    contract: str = _setting(CONTRACT, "file of the OpenAPI document that the server serves", file)
    key_pepper: str = _setting(
        "", "secret mixed into stored key digests; empty: kept in var/key-pepper", secret, is_secret=True
    )
    key_pepper_file: str = _setting("", "file that holds the key pepper, instead of the environment")
    key_cache_seconds: float = _setting(
        0.25, "seconds for which a server may use a cached API key; a change of a key takes effect after them", seconds
    )
    rate_limit: str = _setting(
        "", "requests of one credential, such as 100/minute; empty: the contract's limit; off: no rate limits", quota
    )
    rate_limit_address: str = _setting(
        "", "requests of one client address; empty: the contract's limit; off: no limit of this kind", quota
    )
    rate_limit_auth_failures: str = _setting(
        "", "refused credentials of one client address; empty: the contract's limit; off: no limit of this kind", quota
    )
    rate_limit_shares: str = _setting(
        "", "requests with one token of a share link; empty: the contract's limit; off: no limit of this kind", quota
    )
    rate_limit_storage: str = _setting(
        "",
        "Redis that counts for all workers: redis://HOST:PORT/DB or redis+unix://PATH; empty: each counts alone",
        store,
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (), "addresses or networks of proxies whose X-Forwarded-For or Forwarded is trusted, with spaces", networks
    )
    jwt_secret: str = _setting("", "shared secret of JWTs (HS256, HS384, HS512)", secret, is_secret=True)
    jwt_jwks_file: str = _setting("", "file with the public keys of JWTs (JWKS)")
    jwt_algorithms: tuple[str, ...] = _setting(
        (), "allowed JWT algorithms; empty: HS256 or RS256 ES256", jwt_algorithms
    )
    jwt_issuer: str = _setting("", "required `iss` of JWTs; empty: any")
    jwt_audience: str = _setting("", "required `aud` of JWTs; empty: any")
    audio_url: str = _setting(
        "",
        "store of audio: file:///FOLDER, or s3://BUCKET/PREFIX with the AWS_* variables; empty: a folder beside the "
        "database",
        audio_store,
    )
    audio_orphan_hours: int = _setting(
        24, "hours after which audio that no track names is deleted from the store", whole(1, 100_000)
    )
    audio_url_seconds: int = _setting(900, "seconds of a playback URL; or twice the duration", whole(1, 604_800))
    audio_accel: str = _setting("", "internal location of nginx for a folder of audio, such as /_audio/", location)
    audio_direct: bool = _setting(False, "playback URLs are those that S3 signs: on or off; for S3 only", switch)
    organization_audio_mib: int = _setting(
        0, "MiB of audio that one organization may have; 0: no limit", whole(0, 999_999_999)
    )
    require_if_match: bool = _setting(False, "require If-Match on every change of a collection: on or off", switch)
    response_validation: str = _setting(
        "enforce", "responses that break the contract: enforce (500) or report (log)", one_of("enforce", "report")
    )
    public_url: str = _setting(
        "",
        "address that clients call, with the path that a proxy removes: https://music.example/studio; used in samples, "
        "contract and links; empty: in the samples of /docs the address of the reader, and no path",
        origin,
    )
    cors_origins: tuple[str, ...] = _setting(
        (), "exact origins allowed by CORS, separated by spaces, or * for all; empty: none", origins
    )
    log_format: str = _setting("auto", "auto (json unless on a terminal), json or text", one_of("auto", "json", "text"))
    log_level: str = _setting("info", "debug, info, warning or error", one_of("debug", "info", "warning", "error"))
    metrics_port: int = _setting(0, "port of the Prometheus metrics; 0: no metrics", whole(0, 65535))
    metrics_host: str = _setting("127.0.0.1", "address of the Prometheus metrics")
    metrics_dir: str = _setting("", "folder for the metrics of the workers; `serve` makes one")
    otlp_endpoint: str = _setting(
        "", "OpenTelemetry collector of the traces, OTLP over HTTP; empty: no traces", collector, variable=OTLP_ENDPOINT
    )
    server_timing: bool = _setting(
        False, "Server-Timing for callers that send `Prefer: server-timing`: on or off", switch
    )


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of the environment; an empty variable counts as not set. Raises BadSetting."""
    environ = os.environ if environ is None else environ
    setting_checks.refuse_former(environ)
    known = {variable(f): f for f in fields(Settings)}
    chosen = Settings(**{f.name: _parse(name, f, environ[name]) for name, f in known.items() if environ.get(name)})
    setting_checks.require_jwt_keys(chosen.jwt_secret, chosen.jwt_jwks_file, chosen.jwt_algorithms)
    if chosen.otlp_endpoint:
        setting_checks.require_trace_headers(environ)
    if chosen.audio_url.startswith("s3:"):
        setting_checks.require_endpoints(environ)
    return chosen


def variable(setting: Field[Any]) -> str:
    """The environment variable of a setting."""
    named: str = setting.metadata["variable"]
    return named or PREFIX + setting.name.upper()


def with_options(**values: object) -> Settings:
    """The settings with the options of the command line, which worker processes find in the environment."""
    given = {name: str(value) for name, value in values.items() if value is not None}
    for setting in fields(Settings):
        if setting.name in given:
            _parse("--" + setting.name.replace("_", "-"), setting, given[setting.name])
    os.environ.update({PREFIX + name.upper(): value for name, value in given.items()})
    return load()


def _parse(name: str, setting: Field[Any], text: str) -> Any:
    try:
        return setting.metadata["parse"](text)
    except ValueError as expected:
        found = "not shown" if setting.metadata["is_secret"] else repr(mask_url(text))
        raise BadSetting(f"{name} is {found}; it must be {expected}.") from None


def pepper(settings: Settings) -> bytes:
    """The secret mixed into key digests; without a setting, one is made beside the database. Raises CommandError."""
    return key_pepper.load(settings.key_pepper, settings.key_pepper_file, _home(settings))


def audio_url(settings: Settings) -> str:
    """The URL of the audio store; without a setting, that of the folder beside the database."""
    return settings.audio_url or (_home(settings) / "audio").absolute().as_uri()


def _home(settings: Settings) -> Path:
    """The folder of the SQLite database, or `var`."""
    file = re.fullmatch("sqlite:///(.+)", settings.database_url)
    return Path(file[1]).parent if file else VAR
