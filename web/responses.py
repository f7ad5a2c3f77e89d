"""Response types: what handlers may return besides a plain body, and the response that the server sends."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import orjson

from models.audio import FileRange

_WHOLE_SECONDS = orjson.OPT_OMIT_MICROSECONDS | orjson.OPT_UTC_Z
Body = TypeVar("Body")
Piece = bytes | memoryview | FileRange
Pieces = Iterable[Piece] | AsyncIterable[Piece]
# ASGI extension: `http.response.start` carries the complete response, with encoded headers (SerializedResponse).
SINGLE_MESSAGE = "music_studio.single_message"
# ASGI extension: this key of `http.response.body` ends the connection, because the rest of the body will not come.
ABORT = "music_studio.abort"
# ASGI extension of the specification: a message with a part of a file, which the server reads.
ZERO_COPY_SEND = "http.response.zerocopysend"
EXTENSIONS: dict[str, dict[object, object]] = {SINGLE_MESSAGE: {}, ZERO_COPY_SEND: {}}


class WithETag(NamedTuple, Generic[Body]):
    """A body and its entity tag (RFC 9110 section 8.8.3), which is the version of the resource."""

    body: Body
    tag: str | int


@dataclass(frozen=True, slots=True)
class WithStatus(Generic[Body]):
    """A body, which may be WithETag, RawBody or StreamedBody, with one of several success statuses and header fields.

    `headers` have lower-case names, and the contract documents each. A status without content has the body None.
    """

    body: Body
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


def redirect(location: str, status: int = 303) -> WithStatus[None]:
    """A redirect without content (RFC 9110 section 15.4); the contract documents the status and its `Location`."""
    return WithStatus(None, status, {"location": location})


@dataclass(frozen=True, slots=True)
class RawBody:
    """An encoded body with its media type, which the contract documents; its content is not validated."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class StreamedBody:
    """A body that is sent piece by piece and never held as a whole; its content is not validated.

    A piece is bytes or, of a body of known length, a part of an open file. A plain iterator runs in a thread. Pieces
    are made after the transaction of the handler has been committed. `length` is their number of bytes in all, if it is
    known: the first piece is then made before the response starts, so that what fails at once is an error response.
    """

    pieces: Pieces
    media_type: str
    length: int | None = None


class SerializedResponse(NamedTuple):
    """Encoded headers, the content, and whether the headers contain `connection: close`."""

    header: bytes
    content: bytes
    closes: bool


def encode_headers(fields: Mapping[str, str]) -> bytes:
    """Header fields as HTTP/1.1 lines, each ending in CRLF. Raises ValueError if a field contains a line break."""
    text = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
    if not text.count("\n") == text.count("\r") == len(fields):
        raise ValueError("A response header field contains a line break")
    return text.encode("latin-1")


def format_timestamps(values: list[datetime]) -> list[str]:
    """Times in UTC as responses contain them: RFC 3339, whole seconds, `Z`."""
    if not values:
        return []
    return orjson.dumps(values, option=_WHOLE_SECONDS).decode()[2:-2].split('","')  # a fraction of isoformat's time


UNCHECKED: Any = object()
"""The `data` of a response whose body is not validated."""


class Response(NamedTuple):
    """A response: status, header fields (lower-case names, without the default headers) and body."""

    status: int
    headers: dict[str, str]
    body: bytes
    data: Any = UNCHECKED
    """The body before it was encoded, for response validation; None is JSON's null, or no body."""
    pieces: Pieces | None = None
    """The pieces of a streamed body, in the place of `body`."""
    length: int | None = None
    """The number of bytes of a streamed body, if it is known."""


def from_messages(messages: Sequence[Mapping[str, Any]]) -> Response:
    """The response in ASGI messages, without content-length, which is added when it is sent."""
    start, *parts = messages
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    headers.pop("content-length", None)
    # A single body is not copied: large files are shared by all responses.
    bodies = [part["body"] for part in parts if part.get("body")]
    return Response(start["status"], headers, b"".join(bodies))
