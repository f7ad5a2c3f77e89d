"""Media types of request and response bodies: how a body is decoded, encoded and checked against its schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from web.contract import strict_json
from web.contract.json_schema import Absent
from web.contract.reading import OperationObject
from web.contract.schemas import ValidatorCache
from web.exceptions import MalformedRequest, UnsupportedMediaType, Violation

_CONTENT_TYPE = re.compile(rb"[ \t]*([^;\s]+)[ \t]*((?:;.*)?)")
_UTF_8 = re.compile(rb'(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?', re.IGNORECASE)
# W3C Linked Data Platform section 7.1, RFC 5789 section 3.1; RFC 9110 section 15.5.16 for any other method.
_ACCEPT_HEADERS = {"POST": "accept-post", "PATCH": "accept-patch"}


class MediaType:
    """One media type of a body. JSON types hold any JSON value, `text/*` holds a str, and every other type bytes.

    `name` is the media type as the contract has it, `essence` the same without parameters (RFC 9110 section 8.3.1).
    """

    def __init__(self, name: str, node: dict[str, Any], validators: ValidatorCache, absent: Absent) -> None:
        self.name = name
        self.essence = name.partition(";")[0].strip().lower()
        self.is_json = is_json(self.essence)
        self.is_text = self.essence.startswith("text/")
        self._validator = validators.get(node.get("schema", {}), absent)
        self.is_valid: Callable[[Any], bool] = self._validator.is_valid if self.is_json else self._is_valid_text
        self.encode: Callable[[Any], bytes] = orjson.dumps if self.is_json else self._encode_text
        """The encoded body. Raises TypeError for a value that the media type cannot hold."""

    def decode(self, raw: bytes) -> tuple[Any, bool]:
        """The value of an encoded body, and whether it is valid. Raises MalformedRequest."""
        if not self.is_json:
            text = self._decode_text(raw)
            return text, self.is_valid(text)
        has_numbers = self._validator.may_have_numbers
        value = strict_json.parse(raw, has_numbers=has_numbers)
        is_valid = self.is_valid(value)
        # A value without valid types may have numbers after all, and a long one is the first thing to say.
        return value if is_valid or has_numbers else strict_json.parse(raw), is_valid

    def _decode_text(self, raw: bytes) -> str | bytes:
        try:
            return raw.decode() if self.is_text else raw
        except UnicodeDecodeError:
            raise MalformedRequest("The body is not text in UTF-8") from None

    def _encode_text(self, value: Any) -> bytes:
        if not isinstance(value, str if self.is_text else bytes):
            raise TypeError(
                f"A body of {self.name} is {'str' if self.is_text else 'bytes'}, not {type(value).__name__}."
            )
        return value.encode() if isinstance(value, str) else value

    def violations(self, value: Any) -> Iterator[Violation]:
        """The rules of the schema that the value breaks."""
        return self._validator.violations(value if self.is_json else _characters(value))

    def _is_valid_text(self, value: str | bytes) -> bool:
        return self._validator.is_valid(_characters(value))


class RequestBody:
    """The Request Body Object of an operation: its media types, and whether a body is required."""

    def __init__(self, operation: OperationObject, validators: ValidatorCache) -> None:
        node = operation.request_body
        self.required: bool = node.get("required", False)
        media_types = [MediaType(name, media, validators, "readOnly") for name, media in node["content"].items()]
        self._by_essence = {media_type.essence.encode(): media_type for media_type in media_types}
        self._accepted = ", ".join(media_type.essence for media_type in media_types)
        self._accept_header = _ACCEPT_HEADERS.get(operation.method, "accept")

    def media_type(self, content_type: bytes) -> MediaType:
        """The media type of a Content-Type. Raises UnsupportedMediaType; text and JSON must be in UTF-8."""
        form = _CONTENT_TYPE.fullmatch(content_type)
        found = self._by_essence.get(form[1].lower()) if form else None
        if form is None or found is None or ((found.is_json or found.is_text) and not _UTF_8.fullmatch(form[2])):
            raise self.unsupported(f"Send Content-Type: {self._accepted}, in UTF-8")
        return found

    def unsupported(self, message: str) -> UnsupportedMediaType:
        """The error with the header that lists the media types."""
        return UnsupportedMediaType(message, {self._accept_header: self._accepted})


def is_json(essence: str) -> bool:
    """Whether a media type is JSON (RFC 6839 section 3.1)."""
    return essence == "application/json" or essence.endswith("+json")


def _characters(value: str | bytes) -> str:
    """Bytes as text of the same length, so that a schema's `maxLength` counts bytes."""
    return value if isinstance(value, str) else value.decode("latin-1")
