"""HTTP client that sends raw bytes, reads responses strictly, and checks them against the contract."""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

from tools.testing import contract_coverage
from tools.testing.cases import HALF_CLOSE, LIVE, MARK, Case, Piece, get
from tools.testing.served_contract import ServedContract
from tools.testing.service import Service, envelope_rules
from web.contract import document as contract
from web.error_envelope import ErrorCatalog

MAX_ERROR = 8 * 1024
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
WITH_STATUS = {401: "www-authenticate", 405: "allow", 429: "retry-after", 500: "retry-after", 503: "retry-after"}
FIELDS = {"code", "message", "system_message", "type", "status", "details", "trace_id", "timestamp"}
_DOCUMENT = contract.document()
_CATALOG = ErrorCatalog(contract.document())
_ENVELOPE = envelope_rules()
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [ -~]*\r\n")
_FIELD = re.compile(rb"([a-z0-9-]+): ([ -~]*)\r\n")


class RawResponse(NamedTuple):
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes


def address(service: Service | ServedContract) -> tuple[str, int]:
    """Host and port of a running service."""
    host, _, port = service.url.removeprefix("http://").rpartition(":")
    return host, int(port)


class RawClient:
    """One connection; responses are read one by one."""

    def __init__(self, address: tuple[str, int], timeout: float = 10) -> None:
        self._socket = socket.create_connection(address, timeout=timeout)
        self._read = self._sent = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, piece: Piece) -> None:
        if isinstance(piece, bytes):
            self._socket.sendall(piece)
            self._sent += piece
        elif piece is HALF_CLOSE:
            self._socket.shutdown(socket.SHUT_WR)

    def response(self, *, to_head: bool = False) -> RawResponse:
        """Reads the next response. Raises EOFError on a closed connection, ValueError on invalid HTTP."""
        while b"\r\n\r\n" not in self._read:
            self._receive()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        status, headers = _head(head + b"\r\n")
        bodyless = to_head or status in (204, 304) or status < 200
        length = 0 if bodyless else int(headers["content-length"])
        while len(self._read) < length:
            self._receive()
        body, self._read = self._read[:length], self._read[length:]
        if status >= 200:
            self._sent = contract_coverage.count_raw_exchange(self._sent, status, body)
        return RawResponse(status, headers, body)

    def is_closed(self) -> bool:
        """Whether the server closes the connection in order, without further bytes."""
        try:
            return self._read == b"" and self._socket.recv(1) == b""
        except TimeoutError:
            return False

    def _receive(self) -> None:
        read = self._socket.recv(1 << 20)
        if not read:
            raise EOFError(self._read)
        self._read += read


def _head(text: bytes) -> tuple[int, dict[str, str]]:
    line = _STATUS_LINE.match(text)
    fields = _FIELD.findall(text, line.end() if line else 0)
    if line is None or line[0] + b"".join(b"%s: %s\r\n" % field for field in fields) != text:
        raise ValueError(f"invalid HTTP header: {text!r}")
    names = [name.decode() for name, _ in fields]
    if len(set(names)) != len(names):
        raise ValueError(f"duplicate header field: {names}")
    return int(line[1]), dict(zip(names, (value.decode() for _, value in fields), strict=True))


def mismatches(case: Case, address: tuple[str, int], words: Mapping[bytes, bytes]) -> list[str]:
    """Differences between the service's responses to a case and the expected outcome."""
    pieces = [_filled(piece, words) for piece in case.pieces]
    try:
        with RawClient(address) as client:
            return list(_check_responses(case, pieces, client))
    except (OSError, EOFError, ValueError) as error:
        return [f"{type(error).__name__}: {error}"[:300]]


def _filled(piece: Piece, words: Mapping[bytes, bytes]) -> Piece:
    if isinstance(piece, bytes):
        for placeholder, value in words.items():
            piece = piece.replace(placeholder, value)
    return piece


def _check_responses(case: Case, pieces: list[Piece], client: RawClient) -> Iterator[str]:
    expected = [*case.before, *([case.outcome.status] if case.outcome.status else [])]
    to_head = isinstance(pieces[0], bytes) and pieces[0].startswith(b"HEAD ")
    found = []
    for piece in pieces:
        client.send(piece)
        if not isinstance(piece, bytes) and piece is not HALF_CLOSE:
            found.append(client.response())
    while len(found) < len(expected):
        found.append(client.response(to_head=to_head))
    if [response.status for response in found] != expected:
        yield f"responded {[response.status for response in found]}: {found[-1].body[:300]!r}"
        return
    for response in found:
        yield from response_errors(response, to_head=to_head)
    if case.outcome.code and not to_head and (code := _code(found[-1])) != case.outcome.code:
        yield f"the code is {code}"
    yield from _check_connection(case, found, client)


def _check_connection(case: Case, found: list[RawResponse], client: RawClient) -> Iterator[str]:
    """The connection closes in order, or accepts the next request."""
    if case.outcome.closes:
        optional = HALF_CLOSE in case.pieces or not case.outcome.status
        announced = optional or found[-1].headers.get("connection") == "close"
        yield from [] if announced else ["no `Connection: close`"]
        yield from [] if client.is_closed() else ["the connection was not closed"]
        return
    client.send(get(LIVE, b"X-Request-ID: req_afterwards"))
    after = client.response()
    if (after.status, after.headers["x-request-id"]) != (200, "req_afterwards"):
        yield f"the next request on the connection got {after.status} {after.body[:200]!r}"


def _code(response: RawResponse) -> Any:
    return json.loads(response.body)["error"]["code"]


def response_errors(response: RawResponse, *, to_head: bool = False) -> Iterator[str]:
    """Violations of what every response must have."""
    if response.status < 200:
        return
    headers = response.headers
    yield from (f"{name} is {headers.get(name)!r}" for name, value in ALWAYS.items() if headers.get(name) != value)
    yield from (f"{name} is missing" for name in ("date", "x-request-id", "vary") if name not in headers)
    yield from (f"{name} is present" for name in ("server", "access-control-allow-origin") if name in headers)
    if not re.fullmatch("req_[A-Za-z0-9_-]{8,64}", headers.get("x-request-id", "")):
        yield f"X-Request-ID is {headers.get('x-request-id')!r}"
    if response.status >= 400:
        needed = WITH_STATUS.get(response.status)
        yield from [] if needed is None or needed in headers else [f"{needed} is missing"]
        yield from _check_415(response)
        yield from [] if to_head else _check_envelope(response)


def _check_415(response: RawResponse) -> Iterator[str]:
    if response.status == 415 and not {"accept-post", "accept-patch"} & response.headers.keys():
        yield "neither Accept-Post nor Accept-Patch is present"


def _check_envelope(response: RawResponse) -> Iterator[str]:
    if response.headers.get("content-type") != "application/json":
        yield f"the media type is {response.headers.get('content-type')!r}"
    if len(response.body) > MAX_ERROR:
        yield f"the body has {len(response.body)} bytes"
    if MARK in _without_ids(response.body):
        yield "the body repeats the input"
    envelope = json.loads(response.body)
    yield from (f"{v.pointer} {v.message}" for v in _ENVELOPE.violations(envelope))
    error = envelope["error"]
    row = _CATALOG.entries[error["code"]]
    sent = (error["status"], error["type"], error["message"], error["trace_id"], set(error))
    if (
        sent != (row.status, row.type, row.message, response.headers["x-request-id"], FIELDS)
        or row.status != response.status
    ):
        yield f"the envelope has {sent}"


def _without_ids(body: bytes) -> bytes:
    """The body without the ids and pointers that it repeats on purpose."""
    return re.sub(rb'"(?:collection_id|track_id|pointer)":"[^"]*"', b"", body)
