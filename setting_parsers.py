"""Parsers of the values of settings; each raises ValueError with what is allowed, and never with the value."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from web.security import jwt_keys

# RFC 7518 section 3.2 for HMAC with SHA-256, which digests of keys use too.
SECRET_BYTES = 32
_AMBIGUOUS = "with %40 for each other @"
# name=value as OpenTelemetry reads it: printable ASCII without comma, semicolon, quotation mark and backslash.
_TRACE_HEADER = re.compile(r"[\t ]*[!#-'*+.0-9A-Z^-z|~-]+[\t ]*=[ !#-+\--:<-\[\]-~\t]*")

# The variables of earlier versions, and what to do about one that is still set.
FORMER = {
    "DATABASE_SETTLE_SECONDS": "is now MUSIC_STUDIO_REPLICA_LAG_SECONDS: rename it",
    "DATABASE_PREPARE": "is now MUSIC_STUDIO_PREPARED_STATEMENTS: rename it",
    "METRICS_FOLDER": "is now MUSIC_STUDIO_METRICS_DIR: rename it",
    "GRACE_SECONDS": "is now MUSIC_STUDIO_SHUTDOWN_TIMEOUT_SECONDS: rename it",
    "RATE_LIMIT_REFUSALS": "is now MUSIC_STUDIO_RATE_LIMIT_AUTH_FAILURES: rename it",
    "LANE": "is gone and nothing replaces it, because all requests are answered in the same way now: remove it",
}


def whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,6})?", text) or float(text) > 3600:
        raise ValueError("a number of seconds from 0 to 3600, such as 0.25")
    return float(text)


def file(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError("the path of a file that exists")
    return text


def one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return text

    return parse


def switch(text: str) -> bool:
    return one_of("on", "off")(text) == "on"


def words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def quota(text: str) -> str:
    if text != "off" and not re.fullmatch("[1-9][0-9]{0,8}/(second|minute|hour|day)", text):
        raise ValueError("`off` or a number per unit, such as 100/minute")
    return text


def origin(text: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~-]+)*", text):
        raise ValueError("an address without a slash at its end: https://music.example or https://music.example/studio")
    return text


def origins(text: str) -> tuple[str, ...]:
    found = words(text)
    if found != ("*",) and not all(re.fullmatch(r"[a-z][a-z0-9+.-]*://[0-9A-Za-z.:\[\]_-]+", one) for one in found):
        raise ValueError("origins such as https://app.example, without a slash at their end, or * alone for all")
    return found


def secret(text: str) -> str:
    if len(text.encode()) < SECRET_BYTES:
        raise ValueError(f"a secret of at least {SECRET_BYTES} bytes, such as 64 random hexadecimal digits")
    return text


def database(text: str) -> str:
    # A second @ would begin the name of the host, which drivers put into their errors.
    if not text.startswith("sqlite") and text.count("@") > 1:
        raise ValueError(f"sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME, {_AMBIGUOUS}")
    return text


def replica(text: str) -> str:
    if not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("postgresql://..., a replica of the PostgreSQL database in MUSIC_STUDIO_DATABASE_URL")
    return database(text)


def store(text: str) -> str:
    if not re.fullmatch(r"rediss?://\S+|redis\+unix:///\S+", text) or not _is_unambiguous(text):
        raise ValueError(
            "redis://HOST:PORT/DB, rediss://... or redis+unix:///PATH, with %2F for each / in a password, "
            f"and {_AMBIGUOUS.removeprefix('with ')}"
        )
    return text


def location(text: str) -> str:
    if not re.fullmatch(r"/(?:[\w.-]+/)*", text):
        raise ValueError("a path that begins and ends with a slash, such as /_audio/")
    return text


def audio_store(text: str) -> str:
    if not re.fullmatch(r"file:///[^?#]*|s3://[a-z0-9][a-z0-9.-]{2,62}(?:/[^\s?#@:]*)?", text):
        raise ValueError("file:///FOLDER or s3://BUCKET/PREFIX; what opens S3 stands in the AWS_* variables")
    return text


def endpoint(text: str) -> str:
    if not re.fullmatch(r"(?:https?://[^\s?#@]+)?", text):
        raise ValueError("an address such as https://s3.example, without a key in it")
    return text


def collector(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s?#]+", text) or not _is_unambiguous(text):
        raise ValueError("an address such as http://collector:4318; what it needs to know is a header")
    return text


def trace_headers(text: str) -> str:
    if not all(_TRACE_HEADER.fullmatch(header) for header in text.split(",") if header.strip()):
        raise ValueError("a list of name=value, with commas between them and other characters percent-encoded")
    return text


def jwt_algorithms(text: str) -> tuple[str, ...]:
    known = (*jwt_keys.BY_SECRET, *jwt_keys.BY_KEY_SET)
    if not {*words(text)} <= {*known}:
        raise ValueError("some of " + ", ".join(known))
    return words(text)


def networks(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(word, strict=False)) for word in words(text))
    except ValueError:
        raise ValueError("addresses or networks, such as 10.0.0.0/8") from None


def _is_unambiguous(text: str) -> bool:
    """Whether everybody finds the same host, port and password in a URL (RFC 3986 section 3.2)."""
    try:
        parts = urlsplit(text)
        return parts.netloc.count("@") <= 1 and "@" not in parts.path and (parts.port or 0) >= 0
    except ValueError:  # the port is no number, as when a / in the password ends the authority
        return False
