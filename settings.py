"""Settings: the MUSIC_STUDIO_* variables, read once, checked, with their meaning."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from ipaddress import ip_network
from pathlib import Path
from typing import Any

PREFIX = "MUSIC_STUDIO_"
OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"  # the name that OpenTelemetry has given it
ROOT = Path(__file__).parent
CONTRACT = str(ROOT / "openapi" / "openapi.yaml")
# The folder of the key pepper: of a checkout its own, of an installed program (its launcher lies here) the current one.
VAR = Path("var") if (ROOT / "launcher.py").is_file() else ROOT / "var"
# The variables of earlier versions, and what to do about one that is still set.
FORMER = {
    "DATABASE_SETTLE_SECONDS": "is now MUSIC_STUDIO_REPLICA_LAG_SECONDS: rename it",
    "DATABASE_PREPARE": "is now MUSIC_STUDIO_PREPARED_STATEMENTS: rename it",
    "METRICS_FOLDER": "is now MUSIC_STUDIO_METRICS_DIR: rename it",
    "GRACE_SECONDS": "is now MUSIC_STUDIO_SHUTDOWN_TIMEOUT_SECONDS: rename it",
    "RATE_LIMIT_REFUSALS": "is now MUSIC_STUDIO_RATE_LIMIT_AUTH_FAILURES: rename it",
    "LANE": "is gone and nothing replaces it, because all requests are answered in the same way now: remove it",
}


class BadSetting(ValueError):
    """A variable with an invalid value; the text names the variable, the value and what is allowed."""


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,6})?", text) or float(text) > 3600:
        raise ValueError("a number of seconds from 0 to 3600, such as 0.25")
    return float(text)


def _file(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError("the path of a file that exists")
    return text


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return text

    return parse


def _switch(text: str) -> bool:
    return _one_of("on", "off")(text) == "on"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _quota(text: str) -> str:
    if text != "off" and not re.fullmatch("[1-9][0-9]{0,8}/(second|minute|hour|day)", text):
        raise ValueError("`off` or a number per unit, such as 100/minute")
    return text


def _origin(text: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+", text):
        raise ValueError("an address without a path, such as https://music.example")
    return text


def _store(text: str) -> str:
    if not re.fullmatch(r"rediss?://\S+|redis\+unix:///\S+", text):
        raise ValueError("redis://HOST:PORT/DB, rediss://... or redis+unix:///PATH")
    return text


def _replica(text: str) -> str:
    if not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("postgresql://..., a replica of the PostgreSQL database in MUSIC_STUDIO_DATABASE_URL")
    return text


def _networks(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(word, strict=False)) for word in _words(text))
    except ValueError:
        raise ValueError("addresses or networks, such as 10.0.0.0/8") from None


def _setting(
    default: Any, meaning: str, parse: Callable[[str], Any] = str, *, secret: bool = False, variable: str = ""
) -> Any:
    return field(default=default, metadata={"meaning": meaning, "parse": parse, "secret": secret, "variable": variable})


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str = _setting("sqlite:///var/music-studio.db", "database: sqlite:///FILE or postgresql://...")
    database_read_url: str = _setting(
        "", "read replica of the PostgreSQL database, used by GET requests: postgresql://...", _replica
    )
    replica_lag_seconds: int = _setting(
        5, "seconds for which a user reads from the primary after a write; more than the replica lags", _whole(0, 3600)
    )
    prepared_statements: bool = _setting(
        True, "PostgreSQL: use prepared statements and session settings; off behind a transaction pooler", _switch
    )
    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(8080, "port to listen on; 0 takes a free one", _whole(0, 65535))
    workers: int = _setting(1, "number of worker processes", _whole(1, 256))
    threads: int = _setting(10, "worker threads, and database connections, of each process", _whole(1, 256))
    header_timeout_seconds: int = _setting(10, "seconds in which the header of a request must arrive", _whole(1, 3600))
    body_timeout_seconds: int = _setting(30, "seconds in which the body of a request must arrive", _whole(1, 3600))
    write_timeout_seconds: int = _setting(30, "seconds in which a client must read a response", _whole(1, 3600))
    keep_alive_timeout_seconds: int = _setting(75, "seconds that an idle connection stays open", _whole(1, 3600))
    shutdown_timeout_seconds: int = _setting(
        20, "seconds that open requests get to finish when the server stops", _whole(0, 3600)
    )
    max_concurrency: int = _setting(
        256, "requests in flight in one process; the server answers 503 to more", _whole(1, 100_000)
    )
    contract: str = _setting(CONTRACT, "file of the OpenAPI document that the server serves", _file)
    key_pepper: str = _setting("", "secret mixed into stored key digests; empty: kept in var/key-pepper", secret=True)
    key_pepper_file: str = _setting("", "file that holds the key pepper, instead of the environment")
    key_cache_seconds: float = _setting(
        0.25, "seconds for which a server may use a cached API key; a change of a key takes effect after them", _seconds
    )
    rate_limit: str = _setting(
        "", "requests of one credential, such as 100/minute; empty: the contract's limit; off: no rate limits", _quota
    )
    rate_limit_address: str = _setting(
        "", "requests of one client address; empty: the contract's limit; off: no limit of this kind", _quota
    )
    rate_limit_auth_failures: str = _setting(
        "", "refused credentials of one client address; empty: the contract's limit; off: no limit of this kind", _quota
    )
    rate_limit_storage: str = _setting(
        "",
        "Redis that counts for all workers: redis://HOST:PORT/DB or redis+unix://PATH; empty: each counts alone",
        _store,
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (), "addresses or networks of proxies whose X-Forwarded-For is trusted, separated by spaces", _networks
    )
    jwt_secret: str = _setting("", "shared secret of JWTs (HS256, HS384, HS512)", secret=True)
    jwt_jwks_file: str = _setting("", "file with the public keys of JWTs (JWKS)")
    jwt_algorithms: tuple[str, ...] = _setting((), "allowed JWT algorithms; empty: HS256 or RS256 ES256", _words)
    jwt_issuer: str = _setting("", "required `iss` of JWTs; empty: any")
    jwt_audience: str = _setting("", "required `aud` of JWTs; empty: any")
    require_if_match: bool = _setting(False, "require If-Match on every change of a collection: on or off", _switch)
    response_validation: str = _setting(
        "enforce", "responses that break the contract: enforce (500) or report (log)", _one_of("enforce", "report")
    )
    public_url: str = _setting(
        "",
        "public address, such as https://music.example, in samples, contract and links; empty: the reader's",
        _origin,
    )
    cors_origins: tuple[str, ...] = _setting((), "exact origins allowed by CORS, separated by spaces", _words)
    log_format: str = _setting(
        "auto", "auto (json unless on a terminal), json or text", _one_of("auto", "json", "text")
    )
    log_level: str = _setting("info", "debug, info, warning or error", _one_of("debug", "info", "warning", "error"))
    metrics_port: int = _setting(0, "port of the Prometheus metrics; 0: no metrics", _whole(0, 65535))
    metrics_host: str = _setting("127.0.0.1", "address of the Prometheus metrics")
    metrics_dir: str = _setting("", "folder for the metrics of the workers; `serve` makes one")
    otlp_endpoint: str = _setting(
        "", "OpenTelemetry collector of the traces, OTLP over HTTP; empty: no traces", variable=OTLP_ENDPOINT
    )
    server_timing: bool = _setting(
        False, "Server-Timing for callers that send `Prefer: server-timing`: on or off", _switch
    )


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of the environment; an empty variable counts as not set. Raises BadSetting."""
    environ = os.environ if environ is None else environ
    _refuse_former(environ)
    known = {_variable(f): f for f in fields(Settings)}
    values = {
        f.name: _parse(name, f.metadata["parse"], environ[name]) for name, f in known.items() if environ.get(name)
    }
    return Settings(**values)


def _refuse_former(environ: Mapping[str, str]) -> None:
    """A variable of an earlier version would be passed over in silence, and its value lost."""
    for name, advice in FORMER.items():
        if environ.get(PREFIX + name):
            raise BadSetting(f"{PREFIX}{name} {advice}.")


def _variable(setting: Field[Any]) -> str:
    named: str = setting.metadata["variable"]
    return named or PREFIX + setting.name.upper()


def with_options(**values: object) -> Settings:
    """The settings with the options of the command line, which worker processes find in the environment."""
    given = {name: str(value) for name, value in values.items() if value is not None}
    for setting in fields(Settings):
        if setting.name in given:
            _parse("--" + setting.name.replace("_", "-"), setting.metadata["parse"], given[setting.name])
    os.environ.update({PREFIX + name.upper(): value for name, value in given.items()})
    return load()


def _parse(name: str, parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except ValueError as expected:
        raise BadSetting(f"{name} is {text!r}; it must be {expected}.") from None


def describe(settings: Settings | None = None) -> list[tuple[str, str, str, str]]:
    """(variable, default, value, meaning) of each setting; secrets are masked."""
    settings = settings or Settings()
    return [
        (
            _variable(f),
            _shown(f.default, False),
            _shown(getattr(settings, f.name), f.metadata["secret"]),
            f.metadata["meaning"],
        )
        for f in fields(Settings)
        if f.default is not MISSING
    ]


def _shown(value: Any, secret: bool) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(value)
    return "***" if secret and value else str(value)


def pepper(settings: Settings) -> bytes:
    """The secret mixed into key digests; without a setting, one is made in a file that only its owner can read."""
    if settings.key_pepper:
        return settings.key_pepper.encode()
    if settings.key_pepper_file:
        return _kept(Path(settings.key_pepper_file))
    home = re.fullmatch("sqlite:///(.+)", settings.database_url)
    file = (Path(home[1]).parent if home else VAR) / "key-pepper"
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        new = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(new, secrets.token_hex(32).encode())
        os.close(new)
    except FileExistsError:
        pass
    return file.read_bytes()


def _kept(file: Path) -> bytes:
    secret = file.read_bytes().strip()
    if not secret:
        raise BadSetting(f"{PREFIX}KEY_PEPPER_FILE names {file}, which is empty.")
    return secret
