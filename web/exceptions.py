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
from web.responses import Answer
from web.telemetry import log_config

LONGEST_TEXT = 128
MOST_VIOLATIONS = 24
CHALLENGE = 'Bearer realm="music-studio", ApiKey realm="music-studio", header="X-API-Key"'
log = structlog.get_logger("web.exceptions")


class Violation(NamedTuple):
    """One rule of the contract that a value breaks."""

    pointer: str
    """JSON Pointer (RFC 6901) into the body, or the place and name of a parameter: `query/limit`."""
    code: str
    """The schema keyword that is broken."""
    message: str


class Refusal(Failure):
    """A request that the protocol's rules turn away; `headers` go with the answer."""

    def __init__(self, system_message: str, headers: Mapping[str, str] | None = None, /, **details: object) -> None:
        super().__init__(system_message, **details)
        self.headers = dict(headers or {})


class MalformedRequest(Refusal):
    code = "MALFORMED_REQUEST"


class AuthenticationRequired(Refusal):
    code = "AUTHENTICATION_REQUIRED"


class KeyExpired(Refusal):
    code = "API_KEY_EXPIRED"


class KeyDeactivated(Refusal):
    code = "API_KEY_DEACTIVATED"


class KeyPaused(Refusal):
    code = "API_KEY_PAUSED"


class TokenExpired(Refusal):
    code = "TOKEN_EXPIRED"


class TokenInvalid(Refusal):
    code = "TOKEN_INVALID"


class ScopeMissing(Refusal):
    code = "INSUFFICIENT_PERMISSIONS"


class NoSuchEndpoint(Refusal):
    code = "ENDPOINT_NOT_FOUND"


class MethodNotAllowed(Refusal):
    code = "METHOD_NOT_ALLOWED"


class NotAcceptable(Refusal):
    code = "NOT_ACCEPTABLE"


class RequestTimeout(Refusal):
    code = "REQUEST_TIMEOUT"


class PayloadTooLarge(Refusal):
    code = "PAYLOAD_TOO_LARGE"


class TargetTooLong(Refusal):
    code = "URI_TOO_LONG"


class UnsupportedMediaType(Refusal):
    code = "UNSUPPORTED_MEDIA_TYPE"


class PreconditionRequired(Refusal):
    code = "PRECONDITION_REQUIRED"


class HeadersTooLarge(Refusal):
    code = "HEADERS_TOO_LARGE"


class RateLimited(Refusal):
    code = "RATE_LIMIT_EXCEEDED"


class InternalError(Refusal):
    code = "INTERNAL_SERVER_ERROR"


class Invalid(Refusal):
    """Values that break the contract's rules, all of them at once."""

    code = "VALIDATION_ERROR"

    def __init__(self, violations: Iterable[Violation]) -> None:
        found = list(violations)
        details: dict[str, object] = {"errors": [v._asdict() for v in found[:MOST_VIOLATIONS]]}
        if len(found) > MOST_VIOLATIONS:
            details["omitted"] = len(found) - MOST_VIOLATIONS
        super().__init__("The request does not match the contract", None, **details)


class Row(NamedTuple):
    """What the contract's catalogue says of one error code."""

    status: int
    type: str
    message: str


@cache
def catalogue() -> dict[str, Row]:
    """Error code -> its row, from the contract's `x-errors`."""
    entries = contract.document()["components"]["schemas"]["ErrorCode"]["x-errors"]
    return {code: Row(e["status"], e["type"], e["message"]) for code, e in entries.items()}


def render(error: BaseException, request_id: str) -> Answer:
    """The envelope of a failure; what is not a Failure is a bug: it is logged and tells only its id."""
    failure = error if isinstance(error, Failure) else _translated(error, request_id)
    row = catalogue()[failure.code]
    body = {
        "code": failure.code,
        "message": row.message,
        "system_message": failure.system_message,
        "type": row.type,
        "status": row.status,
        "details": _short(failure.details),
        "trace_id": request_id,
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    envelope = {"success": False, "error": body}
    return Answer(row.status, _headers(failure, row.status), orjson.dumps(envelope), envelope)


def _headers(failure: Failure, status: int) -> dict[str, str]:
    headers = {"content-type": "application/json"} | dict(getattr(failure, "headers", {}))
    retry_after = getattr(failure, "retry_after", None)
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    if status == 401:
        headers["www-authenticate"] = CHALLENGE
    return headers


def _short(value: Any) -> Any:
    """The same details with every text cut and without secrets, so that no error repeats a long input or a key."""
    if isinstance(value, str):
        value = log_config.masked(value)
        return value if len(value) <= LONGEST_TEXT else value[: LONGEST_TEXT - 1] + "…"
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    return [_short(item) for item in value] if isinstance(value, list) else value


def _translated(error: BaseException, request_id: str) -> Failure:
    status = error.status_code if isinstance(error, HTTPException) else getattr(error, "status", 500)
    if isinstance(error, (HTTPException, ProblemException)) and status < 500:
        return _BY_STATUS.get(status, MalformedRequest)("The request was refused by the framework")
    log.error("unexpected failure", trace_id=request_id, exc_info=error)
    return InternalError("Something went wrong on our side; the trace id finds it in the log")


_BY_STATUS: dict[int, type[Refusal]] = {
    401: AuthenticationRequired,
    403: ScopeMissing,
    404: NoSuchEndpoint,
    405: MethodNotAllowed,
    406: NotAcceptable,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
}
