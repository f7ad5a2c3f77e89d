"""What handlers may return beside a plain body, and the response that the server sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import orjson

_WHOLE_SECONDS = orjson.OPT_OMIT_MICROSECONDS | orjson.OPT_UTC_Z
Body = TypeVar("Body")
# An extension of ASGI: the whole answer in the message that begins it, its fields as lines that are right already.
SINGLE_MESSAGE = "music_studio.whole"
EXTENSIONS: dict[str, dict[object, object]] = {SINGLE_MESSAGE: {}}


class WithETag(NamedTuple, Generic[Body]):
    """A body and its entity tag (RFC 9110 section 8.8.3); the tag names the version that the body shows."""

    body: Body
    tag: str | int


@dataclass(frozen=True, slots=True)
class RawBody:
    """A body that is ready to be sent, with its media type."""

    content: bytes
    media_type: str


class SerializedResponse(NamedTuple):
    """The lines of a header, the content, and whether the lines say that the connection ends."""

    header: bytes
    content: bytes
    last: bool


def encode_headers(fields: Mapping[str, str]) -> bytes:
    """Header fields as they go over the wire, each with the end of its line. Raises ValueError for a line within."""
    text = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
    if not text.count("\n") == text.count("\r") == len(fields):
        raise ValueError("A header field of an answer holds the end of a line")
    return text.encode("latin-1")


def format_timestamps(values: list[datetime]) -> list[str]:
    """Moments in UTC as every answer writes them: RFC 3339, whole seconds, `Z`."""
    written: list[str] = orjson.loads(orjson.dumps(values, option=_WHOLE_SECONDS))  # a tenth of isoformat's time
    return written


class Response(NamedTuple):
    """A whole response: status, header fields (names in lower case) without those of every response, and the bytes."""

    status: int
    headers: dict[str, str]
    body: bytes
    data: Any = None
    """The body before it became bytes, where there is one: what response validation looks at."""


def from_messages(messages: Sequence[Mapping[str, Any]]) -> Response:
    """The whole response that ASGI messages say, without the fields that every response gets anyway."""
    start, *parts = messages
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    headers.pop("content-length", None)
    return Response(start["status"], headers, b"".join(part.get("body", b"") for part in parts))
