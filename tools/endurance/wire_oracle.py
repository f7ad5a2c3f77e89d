"""What h11 reads from the bytes of a connection, and the differences from it that the server may have.

h11 is a second parser of HTTP/1.1 with other authors: where both read the same requests, no proxy in front of the
server is likely to be led to read others (request smuggling).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import h11
import httptools


class Read(NamedTuple):
    """One request: method, target, and its content if all of it was read."""

    method: bytes
    target: bytes
    content: bytes | None


class Oracle(NamedTuple):
    """The requests that h11 reads, its error if it refuses what follows, and where the complete requests end."""

    requests: list[Read]
    error: str
    ends: list[int]

    def rest(self, data: bytes, count: int) -> bytes:
        """The bytes after the first requests."""
        return data[self.ends[count - 1] if count else 0 :]


class Difference(NamedTuple):
    """A legal difference: its name, the section of the standard that allows it, and whether the bytes explain it.

    The bytes are those of the first request that only one side accepts, and all that follow it.
    """

    name: str
    section: str
    explains: Callable[[bytes], object]


def _search(pattern: bytes) -> Callable[[bytes], object]:
    return re.compile(pattern, re.DOTALL | re.IGNORECASE).search


def _not(match: Callable[[bytes], object]) -> Callable[[bytes], object]:
    return lambda data: not match(data)


_REQUEST_LINE = re.compile(rb"[^\r\n]* HTTP/1\.[01]\r\n")
# Origin form, or absolute form without a user (RFC 9110 section 4.2.4), of the characters of RFC 3986.
_TARGET = re.compile(
    rb"[\r\n]*[A-Z]+ +(?:https?://[A-Z0-9.-]+(?::[0-9]*)?(?=[/? ]))?(?:[/?][!$-;=?-Z_a-z~]*)? +HTTP/", re.IGNORECASE
)
_REGISTERED_METHOD = re.compile(rb"[\r\n]*(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT) ")
# llhttp refuses what h11 reads. A server may refuse, and it closes the connection, so it reads nothing behind.
STRICTER = [
    Difference("line feed without carriage return", "RFC 9112 section 2.2", _search(rb"(?<!\r)\n")),
    Difference("folded field line", "RFC 9112 section 5.2", _search(rb"\r\n[ \t]")),
    Difference("method that is not registered", "RFC 9110 section 9.1", _not(_REGISTERED_METHOD.match)),
    Difference("Transfer-Encoding with Content-Length", "RFC 9112 section 6.1", _search(rb"\ntransfer-encoding:")),
    Difference(
        "no number in Content-Length", "RFC 9112 section 6.3", _search(rb"\ncontent-length:(?![ \t]*[0-9]+[ \t]*\r\n)")
    ),
    Difference("two Content-Length", "RFC 9112 section 6.3", _search(rb"\ncontent-length:.*\ncontent-length:")),
    Difference("other version", "RFC 9110 section 2.5", _not(_REQUEST_LINE.match)),
    Difference("form of the target", "RFC 9112 section 3.2", _not(_TARGET.match)),
    Difference("control character", "RFC 9110 section 5.5", _search(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")),
    Difference("form of a chunk extension", "RFC 9112 section 7.1.1", _search(rb"chunked.*\r\n\r\n.*;")),
    Difference(
        "trailer field for framing",
        "RFC 9110 section 6.5.1",
        _search(rb"\n0+(?:;.*)?\r\n(?:.+\r\n)*?(?:connection|content-length|transfer-encoding|upgrade):"),
    ),
    Difference("Upgrade or CONNECT", "RFC 9110 section 7.8", _search(rb"\nupgrade:|^CONNECT ")),
]
# llhttp reads what h11 refuses.
LAXER = [
    Difference("empty lines first", "RFC 9112 section 2.2", re.compile(rb"[\r\n]").match),
    Difference("blanks around a target", "RFC 9112 section 3", re.compile(rb"[A-Z]+ (?: +|[^\r\n]*? {2,}HTTP)").match),
    Difference(
        "no Host, or two: 400", "RFC 9112 section 3.2", _search(rb"^(?:(?!\nhost:).)*?\r\n\r\n|\nhost:.*\nhost:")
    ),
    Difference("other Transfer-Encoding: 400", "RFC 9112 section 6.1", _search(rb"\ntransfer-encoding:")),
]


def read(data: bytes) -> Oracle:
    """What h11 reads; each request gets a response that keeps the connection open."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 24)
    connection.receive_data(data)
    connection.receive_data(b"")
    requests, ends, content = list[Read](), list[int](), b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                requests.append(Read(event.method, event.target, None))
                content = b""
            elif isinstance(event, h11.Data):
                content += event.data
            elif isinstance(event, h11.EndOfMessage):
                requests[-1] = requests[-1]._replace(content=content)
                ends.append(len(data) - len(connection.trailing_data[0]))
                if not _answer(connection):
                    return Oracle(requests, "", ends)
            else:
                return Oracle(requests, "", ends)
    except h11.RemoteProtocolError as error:
        return Oracle(requests, str(error), ends)


class _Place:
    """The callbacks of httptools that tell whether it is in the content of a request."""

    in_content = False

    def on_headers_complete(self) -> None:
        self.in_content = True

    def on_message_complete(self) -> None:
        self.in_content = False


def ends_in_content(data: bytes) -> bool:
    """Whether the last request has a header, and its content is cut by the end.

    h11 says so, or httptools of a header that h11 refuses: what the server says of such a header may come too late.
    """
    return _ends_in_content(data) or _ends_in_content_by_httptools(data)


def _ends_in_content_by_httptools(data: bytes) -> bool:
    place = _Place()
    try:
        httptools.HttpRequestParser(place).feed_data(data)
    except httptools.HttpParserError:
        return False
    return place.in_content


def _ends_in_content(data: bytes) -> bool:
    """By h11; empty lines before the request do not count."""
    while True:
        oracle = read(data)
        rest = oracle.rest(data, len(oracle.ends)).lstrip(b"\r\n")
        if not oracle.ends or not rest or len(rest) == len(data):
            return bool(oracle.requests) and oracle.requests[-1].content is None
        data = rest


def _answer(connection: h11.Connection) -> bool:
    """Sends a response; whether the connection stays open."""
    connection.send(h11.Response(status_code=404, headers=[(b"content-length", b"0")]))
    connection.send(h11.EndOfMessage())
    if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
        return False
    connection.start_next_cycle()
    return True


def explanation(differences: list[Difference], data: bytes) -> Difference | None:
    """The first difference that explains the bytes."""
    return next((difference for difference in differences if difference.explains(data)), None)
