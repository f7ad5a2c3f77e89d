"""Every failure as the one envelope: the only place that builds an error body."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import orjson
import structlog
from connexion.exceptions import ProblemException
from starlette.exceptions import HTTPException

from models.exceptions import Failure
from web.contract import document as contract
from web.responses import Response
from web.telemetry import log_config

MAX_TEXT_LENGTH = 128
MAX_VIOLATIONS = 24
CHALLENGE = 'Bearer realm="music-studio", ApiKey realm="music-studio", header="X-API-Key"'
log = structlog.get_logger("web.exceptions")


class Violation(NamedTuple):
    """One rule of the contract that a value breaks."""

    pointer: str
    """JSON Pointer (RFC 6901) into the body, or the place and name of a parameter: `query/limit`."""
    code: str
    """The schema keyword that is broken."""
    message: str


class RequestError(Failure):
    """A request that the protocol's rules turn away; `headers` go with the answer."""

    def __init__(self, system_message: str, headers: Mapping[str, str] | None = None, /, **details: object) -> None:
        super().__init__(system_message, **details)
        self.headers = dict(headers or {})


class MalformedRequest(RequestError):
    code = "MALFORMED_REQUEST"


class AuthenticationRequired(RequestError):
    code = "AUTHENTICATION_REQUIRED"


class KeyExpired(RequestError):
    code = "API_KEY_EXPIRED"


class KeyDeactivated(RequestError):
    code = "API_KEY_DEACTIVATED"


class KeyPaused(RequestError):
    code = "API_KEY_PAUSED"


class TokenExpired(RequestError):
    code = "TOKEN_EXPIRED"


class TokenInvalid(RequestError):
    code = "TOKEN_INVALID"


class ScopeMissing(RequestError):
    code = "INSUFFICIENT_PERMISSIONS"


class NoSuchEndpoint(RequestError):
    code = "ENDPOINT_NOT_FOUND"


class MethodNotAllowed(RequestError):
    code = "METHOD_NOT_ALLOWED"


class NotAcceptable(RequestError):
    code = "NOT_ACCEPTABLE"


class RequestTimeout(RequestError):
    code = "REQUEST_TIMEOUT"


class PayloadTooLarge(RequestError):
    code = "PAYLOAD_TOO_LARGE"


class TargetTooLong(RequestError):
    code = "URI_TOO_LONG"


class UnsupportedMediaType(RequestError):
    code = "UNSUPPORTED_MEDIA_TYPE"


class PreconditionRequired(RequestError):
    code = "PRECONDITION_REQUIRED"


class HeadersTooLarge(RequestError):
    code = "HEADERS_TOO_LARGE"


class RateLimited(RequestError):
    code = "RATE_LIMIT_EXCEEDED"


class InternalError(RequestError):
    code = "INTERNAL_SERVER_ERROR"


class Invalid(RequestError):
    """Values that break the contract's rules, all of them at once."""

    code = "VALIDATION_ERROR"

    def __init__(self, violations: Iterable[Violation]) -> None:
        found = list(violations)
        details: dict[str, object] = {"errors": [v._asdict() for v in found[:MAX_VIOLATIONS]]}
        if len(found) > MAX_VIOLATIONS:
            details["omitted"] = len(found) - MAX_VIOLATIONS
        super().__init__("The request does not match the contract", None, **details)


class CatalogEntry(NamedTuple):
    """What the contract's catalogue says of one error code."""

    status: int
    type: str
    message: str


@cache
def error_catalog() -> dict[str, CatalogEntry]:
    """Error code -> its row, from the contract's `x-errors`."""
    entries = contract.document()["components"]["schemas"]["ErrorCode"]["x-errors"]
    return {code: CatalogEntry(e["status"], e["type"], e["message"]) for code, e in entries.items()}


def to_response(error: BaseException, request_id: str) -> Response:
    """The envelope of a failure; what is not a Failure is a bug: it is logged and tells only its id."""
    failure = error if isinstance(error, Failure) else _translated(error, request_id)
    row = error_catalog()[failure.code]
    body = {
        "code": failure.code,
        "message": row.message,
        "system_message": failure.system_message,
        "type": row.type,
        "status": row.status,
        "details": _redact(failure.details),
        "trace_id": request_id,
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    envelope = {"success": False, "error": body}
    return Response(row.status, _headers(failure, row.status), orjson.dumps(envelope), envelope)


def _headers(failure: Failure, status: int) -> dict[str, str]:
    headers = {"content-type": "application/json"} | dict(getattr(failure, "headers", {}))
    retry_after = getattr(failure, "retry_after", None)
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    if status == 401:
        headers["www-authenticate"] = CHALLENGE
    return headers


def _redact(value: Any) -> Any:
    """The same details with every text cut and without secrets, so that no error repeats a long input or a key."""
    if isinstance(value, str):
        value = log_config.redact(value)
        return value if len(value) <= MAX_TEXT_LENGTH else value[: MAX_TEXT_LENGTH - 1] + "…"
    if isinstance(value, dict):
        return {key: _redact(item) for key, item in value.items()}
    return [_redact(item) for item in value] if isinstance(value, list) else value


def _translated(error: BaseException, request_id: str) -> Failure:
    status = error.status_code if isinstance(error, HTTPException) else getattr(error, "status", 500)
    if isinstance(error, (HTTPException, ProblemException)) and status < 500:
        return _BY_STATUS.get(status, MalformedRequest)("The request was refused by the framework")
    log.error("unexpected failure", trace_id=request_id, exc_info=error)
    return InternalError("Something went wrong on our side; the trace id finds it in the log")


_BY_STATUS: dict[int, type[RequestError]] = {
    401: AuthenticationRequired,
    403: ScopeMissing,
    404: NoSuchEndpoint,
    405: MethodNotAllowed,
    406: NotAcceptable,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
}
