"""Exceptions of the HTTP layer; each class names its error code in the contract's error catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from models.exceptions import Failure

MAX_VIOLATIONS = 24


class Violation(NamedTuple):
    """One rule of the contract that a value breaks."""

    pointer: str
    """JSON Pointer (RFC 6901) into the body, or location and name of a parameter: `query/limit`."""
    code: str
    """The schema keyword that the value breaks."""
    message: str


class ContractError(Exception):
    """The OpenAPI document cannot be served; the text names each place and what to write instead."""


class RequestError(Failure):
    """A request that the HTTP layer rejects; `headers` are added to the error response."""

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


class InvalidAddress(RequestError):
    """A request to an address that is a secret (`x-invalid-request`): one error, whatever is wrong with it."""

    def __init__(self, code: str) -> None:
        super().__init__("The address is altered, expired or revoked")
        self.code = code


class PlaybackUrlInvalid(InvalidAddress):
    code = "PLAYBACK_URL_INVALID"

    def __init__(self) -> None:
        super().__init__(self.code)


class RangeNotSatisfiable(RequestError):
    """The range begins behind the end of a file of `size` bytes (RFC 9110 section 15.5.17)."""

    code = "RANGE_NOT_SATISFIABLE"

    def __init__(self, size: int) -> None:
        headers = {"accept-ranges": "bytes", "content-range": f"bytes */{size}"}
        super().__init__("The range begins behind the end of the file", headers)


class NoSuchEndpoint(RequestError):
    code = "ENDPOINT_NOT_FOUND"


class MethodNotAllowed(RequestError):
    code = "METHOD_NOT_ALLOWED"


class NotAcceptable(RequestError):
    code = "NOT_ACCEPTABLE"


class RequestTimeout(RequestError):
    """The request did not arrive in time; `retry_after` is in seconds."""

    code = "REQUEST_TIMEOUT"
    retry_after = 1


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
    """The request does not match the contract; `details` list the first 24 violations and count the rest."""

    code = "VALIDATION_ERROR"

    def __init__(self, violations: Iterable[Violation]) -> None:
        found = list(violations)
        listed, omitted = [v._asdict() for v in found[:MAX_VIOLATIONS]], len(found) - MAX_VIOLATIONS
        message, details = "The request does not match the contract", dict[str, object](errors=listed)
        if omitted > 0:
            message += f"; {MAX_VIOLATIONS} of at least {len(found)} violations are listed"
            details["omitted"] = omitted
        super().__init__(message, None, **details)
