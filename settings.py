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
OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"  # the one name that the world has given it already
ROOT = Path(__file__).parent


class BadSetting(ValueError):
    """A variable whose value can not be used; the text says which, why and what is allowed."""


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


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
        raise ValueError("postgresql://..., a copy of a PostgreSQL in MUSIC_STUDIO_DATABASE_URL")
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
    database_url: str = _setting(
        "sqlite:///var/music-studio.db", "where the data is: sqlite:///FILE or postgresql://..."
    )
    database_read_url: str = _setting(
        "", "copy of the PostgreSQL that may be asked by GETs: postgresql://...", _replica
    )
    database_settle_seconds: int = _setting(
        5, "how long after a write its user reads from the primary only: longer than the copy lags", _whole(0, 3600)
    )
    database_prepare: bool = _setting(
        True, "PostgreSQL: prepare statements and set up sessions; off behind a pooler that shares sessions", _switch
    )
    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(8080, "port to listen on; 0 takes a free one", _whole(0, 65535))
    workers: int = _setting(1, "worker processes", _whole(1, 256))
    threads: int = _setting(10, "worker threads, and database connections, of each process", _whole(1, 256))
    key_pepper: str = _setting("", "secret mixed into stored key digests; empty: kept in var/key-pepper", secret=True)
    key_pepper_file: str = _setting("", "file with that secret, for where the environment is no place for one")
    rate_limit: str = _setting(
        "", "requests of one credential, as in 100/minute; empty: as the contract says; off: no quotas at all", _quota
    )
    rate_limit_address: str = _setting(
        "", "requests of one address, whoever asks; empty: as the contract says; off: no such quota", _quota
    )
    rate_limit_refusals: str = _setting(
        "", "refused credentials of one address; empty: as the contract says; off: no such quota", _quota
    )
    rate_limit_storage: str = _setting(
        "", "where workers share quotas: redis://HOST:PORT/DB or redis+unix://PATH; empty: each counts alone", _store
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (), "addresses or networks of proxies whose X-Forwarded-For is believed, separated by blanks", _networks
    )
    jwt_secret: str = _setting("", "shared secret of JWTs (HS256, HS384, HS512)", secret=True)
    jwt_jwks_file: str = _setting("", "file with the public keys of JWTs (JWKS)")
    jwt_algorithms: tuple[str, ...] = _setting(
        (), "JWT algorithms that are allowed; empty: HS256 or RS256 ES256", _words
    )
    jwt_issuer: str = _setting("", "required `iss` of JWTs; empty: any")
    jwt_audience: str = _setting("", "required `aud` of JWTs; empty: any")
    require_if_match: bool = _setting(False, "demand If-Match on every change of a collection: on or off", _switch)
    response_validation: str = _setting(
        "enforce", "answers that break the contract: enforce (500) or report (log)", _one_of("enforce", "report")
    )
    lane: bool = _setting(
        True, "answer from the compiled contract (on), or through Connexion's own stack (off)", _switch
    )
    public_url: str = _setting(
        "", "address that samples in /docs call: https://music.example; empty: the one that the reader typed", _origin
    )
    cors_origins: tuple[str, ...] = _setting(
        (), "origins that browsers may call from, exact, separated by blanks", _words
    )
    max_concurrency: int = _setting(256, "requests in flight in one process; more are answered 503", _whole(1, 100_000))
    log_format: str = _setting(
        "auto", "auto (json unless on a terminal), json or text", _one_of("auto", "json", "text")
    )
    log_level: str = _setting("info", "debug, info, warning or error", _one_of("debug", "info", "warning", "error"))
    metrics_port: int = _setting(0, "port of the metrics, as Prometheus reads them; 0: none", _whole(0, 65535))
    metrics_host: str = _setting("127.0.0.1", "address of the port of the metrics")
    metrics_folder: str = _setting("", "where workers leave their figures; `serve` makes one")
    otlp_endpoint: str = _setting(
        "", "OpenTelemetry collector that gets traces by OTLP over HTTP; empty: no traces", variable=OTLP_ENDPOINT
    )
    server_timing: bool = _setting(
        False, "callers who prefer it (Prefer: server-timing) see the server's share of the time: on or off", _switch
    )
    grace_seconds: int = _setting(20, "seconds that open requests get when the server stops", _whole(0, 3600))


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of the environment; an empty variable counts as not set. Raises BadSetting."""
    environ = os.environ if environ is None else environ
    known = {_variable(f): f for f in fields(Settings)}
    values = {
        f.name: _parse(name, f.metadata["parse"], environ[name]) for name, f in known.items() if environ.get(name)
    }
    return Settings(**values)


def _variable(setting: Field[Any]) -> str:
    named: str = setting.metadata["variable"]
    return named or PREFIX + setting.name.upper()


def typed(**values: object) -> Settings:
    """The settings with what was typed on the command line; worker processes find it in the environment too."""
    os.environ.update({PREFIX + name.upper(): str(value) for name, value in values.items() if value is not None})
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
    """The secret that key digests are mixed with; made once, readable by the owner alone, where none is set."""
    if settings.key_pepper:
        return settings.key_pepper.encode()
    if settings.key_pepper_file:
        return _kept(Path(settings.key_pepper_file))
    home = re.fullmatch("sqlite:///(.+)", settings.database_url)
    file = (Path(home[1]).parent if home else ROOT / "var") / "key-pepper"
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
