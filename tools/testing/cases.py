"""Builders and expected outcomes of malformed requests, written as raw bytes."""

from enum import Enum
from typing import NamedTuple

# Placeholders of the same length as their values, so that Content-Length stays right.
KEY = b"key-of-alice".ljust(40, b".")
STRANGERS_KEY = b"key-of-mallory".ljust(40, b".")
READERS_KEY = b"key-of-a-reader".ljust(40, b".")
PAUSED_KEY = b"key-that-is-paused".ljust(40, b".")
COLLECTION = b"a-collection-of-hers".ljust(18, b".")[:18]
TRACK = b"one-track-of-hers".ljust(19, b".")
# Sent where a response must not repeat it.
MARK = b"zQ9hostile9Qz"

LIVE = b"/v1/health/live"
LIST = b"/v1/music/org_home1/collections"
ONE = LIST + b"/" + COLLECTION
TRACKS = ONE + b"/tracks"
ORDER = ONE + b"/order"

HOST = b"Host: localhost"
JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"
AS_ALICE = b"X-API-Key: " + KEY


class Step(Enum):
    """Action of the client between two pieces of bytes."""

    AWAIT = "reads one response"
    HALF_CLOSE = "closes its sending side"


AWAIT, HALF_CLOSE = Step.AWAIT, Step.HALF_CLOSE
Piece = bytes | Step


class Outcome(NamedTuple):
    """Expected status and, from 400 on, error code; with `closes` the server must close the connection."""

    status: int
    code: str = ""
    closes: bool = False

    def closing(self) -> "Outcome":
        return self._replace(closes=True)


class Case(NamedTuple):
    """One malformed request, its only allowed outcome, and the statuses of the responses before it."""

    title: str
    outcome: Outcome
    pieces: tuple[Piece, ...]
    before: tuple[int, ...] = ()


OK, CREATED, NO_CONTENT = Outcome(200), Outcome(201), Outcome(204)
NO_RESPONSE = Outcome(0, closes=True)
MALFORMED = Outcome(400, "MALFORMED_REQUEST")
BAD_REQUEST = MALFORMED.closing()
UNAUTHENTICATED = Outcome(401, "AUTHENTICATION_REQUIRED")
PAUSED = Outcome(401, "API_KEY_PAUSED")
TOKEN_INVALID = Outcome(401, "TOKEN_INVALID")
SCOPE_MISSING = Outcome(403, "INSUFFICIENT_PERMISSIONS")
ACCESS_DENIED = Outcome(403, "ORGANIZATION_ACCESS_DENIED")
NOT_FOUND = Outcome(404, "RESOURCE_NOT_FOUND")
NO_ENDPOINT = Outcome(404, "ENDPOINT_NOT_FOUND")
METHOD_NOT_ALLOWED = Outcome(405, "METHOD_NOT_ALLOWED")
NOT_ACCEPTABLE = Outcome(406, "NOT_ACCEPTABLE")
REQUEST_TIMEOUT = Outcome(408, "REQUEST_TIMEOUT", closes=True)
PRECONDITION_FAILED = Outcome(412, "PRECONDITION_FAILED")
TOO_LARGE = Outcome(413, "PAYLOAD_TOO_LARGE", closes=True)
URI_TOO_LONG = Outcome(414, "URI_TOO_LONG", closes=True)
UNSUPPORTED = Outcome(415, "UNSUPPORTED_MEDIA_TYPE")
INVALID = Outcome(422, "VALIDATION_ERROR")
HEADERS_TOO_LARGE = Outcome(431, "HEADERS_TOO_LARGE", closes=True)


def case(title: str, outcome: Outcome, *pieces: Piece, before: tuple[int, ...] = ()) -> Case:
    return Case(title, outcome, pieces, before)


def shown(sent: bytes) -> str:
    """The bytes as a case title shows them."""
    return repr(sent if len(sent) <= 60 else sent[:44] + b"..." + sent[-12:])[1:]


def head(method: bytes, target: bytes, *fields: bytes, version: bytes = b"HTTP/1.1", host: bytes = HOST) -> bytes:
    """Request line and header; an empty `host` leaves out the Host field."""
    lines = [method + b" " + target + b" " + version, *([host] if host else []), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def get(target: bytes = LIVE, *fields: bytes, version: bytes = b"HTTP/1.1", host: bytes = HOST) -> bytes:
    """A GET without credentials."""
    return head(b"GET", target, *fields, version=version, host=host)


def mine(target: bytes = LIST, *fields: bytes, method: bytes = b"GET") -> bytes:
    """A request with alice's key and no body."""
    return head(method, target, AS_ALICE, *fields)


def post(body: bytes, *fields: bytes, to: bytes = LIST, method: bytes = b"POST", content_type: bytes = JSON) -> bytes:
    """A request with alice's key, a body and its length; an empty `content_type` leaves out that field."""
    typed = [content_type] if content_type else []
    return head(method, to, AS_ALICE, *typed, *fields, b"Content-Length: %d" % len(body)) + body


def patch(body: bytes, *fields: bytes, to: bytes = ONE) -> bytes:
    return post(body, *fields, to=to, method=b"PATCH")


def chunked(content: bytes, *fields: bytes, to: bytes = LIST) -> bytes:
    """A POST with alice's key and raw chunked content."""
    return head(b"POST", to, AS_ALICE, JSON, CHUNKED, *fields) + content


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
