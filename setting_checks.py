"""Checks of the settings together, and of variables that a library reads by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from setting_parsers import FORMER, endpoint, trace_headers
from web.security import jwt_keys

PREFIX = "MUSIC_STUDIO_"
TRACE_HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT")


class BadSetting(ValueError):
    """A variable with an invalid value; the text names the variable, the value and what is allowed."""


def refuse_former(environ: Mapping[str, str]) -> None:
    """A variable of an earlier version would be passed over in silence, and its value lost. Raises BadSetting."""
    for name, advice in FORMER.items():
        if environ.get(PREFIX + name):
            raise BadSetting(f"{PREFIX}{name} {advice}.")


def require_jwt_keys(shared_secret: str, jwks_file: str, algorithms: Sequence[str]) -> None:
    """What cannot verify a token, or verifies too much, ends the start. Raises BadSetting."""
    try:
        jwt_keys.require(shared_secret, jwks_file, tuple(algorithms))
    except ValueError as problem:
        raise BadSetting(f"{PREFIX}{problem}.") from None


def require_trace_headers(environ: Mapping[str, str]) -> None:
    """OpenTelemetry reads these variables, and would log a malformed header with its value. Raises BadSetting."""
    _require_valid(environ, TRACE_HEADERS, trace_headers)


def require_endpoints(environ: Mapping[str, str]) -> None:
    """obstore reads these variables, and would panic at a malformed address. Raises BadSetting."""
    _require_valid(environ, ENDPOINTS, endpoint)


def _require_valid(environ: Mapping[str, str], names: tuple[str, ...], parse: Callable[[str], str]) -> None:
    for name in names:
        try:
            parse(environ.get(name, ""))
        except ValueError as expected:
            raise BadSetting(f"{name} is not shown; it must be {expected}.") from None
