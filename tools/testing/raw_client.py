"""Sends a hostile request as raw bytes, and reads what comes back as strictly as the contract allows."""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

from tests import contract_coverage
from tools.testing.cases import HALF_CLOSE, LIVE, MARK, Case, Piece, get
from tools.testing.service import Service
from web.contract import document as contract
from web.contract.schemas import Validator
from web.error_envelope import ErrorCatalog

MAX_ERROR = 8 * 1024
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
WITH_STATUS = {401: "www-authenticate", 405: "allow", 429: "retry-after", 503: "retry-after"}
FIELDS = {"code", "message", "system_message", "type", "status", "details", "trace_id", "timestamp"}
_DOCUMENT = contract.document()
_CATALOG = ErrorCatalog(contract.document())
_ENVELOPE = Validator(_DOCUMENT["components"]["schemas"]["ErrorEnvelope"], _DOCUMENT)
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [ -~]*\r\n")
_FIELD = re.compile(rb"([a-z0-9-]+): ([ -~]*)\r\n")


class Answer(NamedTuple):
    """One response, as it came."""

    status: int
    headers: dict[str, str]
    body: bytes


def address(service: Service) -> tuple[str, int]:
    """Host and port of a running service."""
    host, _, port = service.url.removeprefix("http://").rpartition(":")
    return host, int(port)


class Line:
    """A connection on which answers are read one by one."""

    def __init__(self, address: tuple[str, int], patience: float = 10) -> None:
        self._socket = socket.create_connection(address, timeout=patience)
        self._read = self._said = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def say(self, piece: Piece) -> None:
        if isinstance(piece, bytes):
            self._socket.sendall(piece)
            self._said += piece
        elif piece is HALF_CLOSE:
            self._socket.shutdown(socket.SHUT_WR)

    def answer(self, *, to_head: bool = False) -> Answer:
        """The next response. Raises EOFError where the connection ends instead, ValueError for what is no HTTP."""
        while b"\r\n\r\n" not in self._read:
            self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        status, headers = _head(head + b"\r\n")
        bodyless = to_head or status in (204, 304) or status < 200
        length = 0 if bodyless else int(headers["content-length"])
        while len(self._read) < length:
            self._more()
        body, self._read = self._read[:length], self._read[length:]
        if status >= 200:
            self._said = contract_coverage.overheard(self._said, status, body)
        return Answer(status, headers, body)

    def ends(self) -> bool:
        """Whether the server closes now, in order, and sends nothing more before."""
        try:
            return self._read == b"" and self._socket.recv(1) == b""
        except TimeoutError:
            return False

    def _more(self) -> None:
        read = self._socket.recv(1 << 20)
        if not read:
            raise EOFError(self._read)
        self._read += read


def _head(text: bytes) -> tuple[int, dict[str, str]]:
    line = _STATUS_LINE.match(text)
    fields = _FIELD.findall(text, line.end() if line else 0)
    if line is None or line[0] + b"".join(b"%s: %s\r\n" % field for field in fields) != text:
        raise ValueError(f"no header of HTTP: {text!r}")
    names = [name.decode() for name, _ in fields]
    if len(set(names)) != len(names):
        raise ValueError(f"a field came twice: {names}")
    return int(line[1]), dict(zip(names, (value.decode() for _, value in fields), strict=True))


def wrongs(case: Case, address: tuple[str, int], words: Mapping[bytes, bytes]) -> list[str]:
    """What is wrong with the service's reaction to a case; nothing when it is the only one allowed."""
    pieces = [_filled(piece, words) for piece in case.pieces]
    try:
        with Line(address) as line:
            return list(_reaction(case, pieces, line))
    except (OSError, EOFError, ValueError) as error:
        return [f"{type(error).__name__}: {error}"[:300]]


def _filled(piece: Piece, words: Mapping[bytes, bytes]) -> Piece:
    if isinstance(piece, bytes):
        for placeholder, value in words.items():
            piece = piece.replace(placeholder, value)
    return piece


def _reaction(case: Case, pieces: list[Piece], line: Line) -> Iterator[str]:
    expected = [*case.before, *([case.outcome.status] if case.outcome.status else [])]
    to_head = isinstance(pieces[0], bytes) and pieces[0].startswith(b"HEAD ")
    found = []
    for piece in pieces:
        line.say(piece)
        if not isinstance(piece, bytes) and piece is not HALF_CLOSE:
            found.append(line.answer())
    while len(found) < len(expected):
        found.append(line.answer(to_head=to_head))
    if [answer.status for answer in found] != expected:
        yield f"answered {[answer.status for answer in found]}: {found[-1].body[:300]!r}"
        return
    for answer in found:
        yield from flaws(answer, to_head=to_head)
    if case.outcome.code and not to_head and (code := _code(found[-1])) != case.outcome.code:
        yield f"the code is {code}"
    yield from _after(case, found, line)


def _after(case: Case, found: list[Answer], line: Line) -> Iterator[str]:
    """A connection ends in order, or goes on exactly behind the request that was answered."""
    if case.outcome.closes:
        unasked = HALF_CLOSE in case.pieces or not case.outcome.status
        said = unasked or found[-1].headers.get("connection") == "close"
        yield from [] if said else ["did not announce that it closes"]
        yield from [] if line.ends() else ["did not close"]
        return
    line.say(get(LIVE, b"X-Request-ID: req_afterwards"))
    after = line.answer()
    if (after.status, after.headers["x-request-id"]) != (200, "req_afterwards"):
        yield f"the next request on the connection was answered {after.status} {after.body[:200]!r}"


def _code(answer: Answer) -> Any:
    return json.loads(answer.body)["error"]["code"]


def flaws(answer: Answer, *, to_head: bool = False) -> Iterator[str]:
    """How one answer breaks what every answer must keep."""
    if answer.status < 200:
        return
    headers = answer.headers
    yield from (f"{name} is {headers.get(name)!r}" for name, value in ALWAYS.items() if headers.get(name) != value)
    yield from (f"{name} is missing" for name in ("date", "x-request-id", "vary") if name not in headers)
    yield from (f"{name} is there" for name in ("server", "access-control-allow-origin") if name in headers)
    if not re.fullmatch("req_[A-Za-z0-9_-]{8,64}", headers.get("x-request-id", "")):
        yield f"X-Request-ID is {headers.get('x-request-id')!r}"
    if answer.status >= 400:
        needed = WITH_STATUS.get(answer.status)
        yield from [] if needed is None or needed in headers else [f"{needed} is missing"]
        yield from _fields_of_415(answer)
        yield from [] if to_head else _envelope(answer)


def _fields_of_415(answer: Answer) -> Iterator[str]:
    if answer.status == 415 and not {"accept-post", "accept-patch"} & answer.headers.keys():
        yield "neither Accept-Post nor Accept-Patch"


def _envelope(answer: Answer) -> Iterator[str]:
    if answer.headers.get("content-type") != "application/json":
        yield f"the media type is {answer.headers.get('content-type')!r}"
    if len(answer.body) > MAX_ERROR:
        yield f"the body has {len(answer.body)} bytes"
    if MARK in _without_ids(answer.body):
        yield "the body repeats the input"
    envelope = json.loads(answer.body)
    yield from (f"{v.pointer} {v.message}" for v in _ENVELOPE.violations(envelope))
    error = envelope["error"]
    row = _CATALOG.entries[error["code"]]
    said = (error["status"], error["type"], error["message"], error["trace_id"], set(error))
    if (
        said != (row.status, row.type, row.message, answer.headers["x-request-id"], FIELDS)
        or row.status != answer.status
    ):
        yield f"the envelope says {said}"


def _without_ids(body: bytes) -> bytes:
    """The body without what it repeats on purpose: the id that was not found, and where a value is."""
    return re.sub(rb'"(?:collection_id|track_id|pointer)":"[^"]*"', b"", body)
