"""The contract's examples of every response, ready to be sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from web.contract.document import lookup
from web.contract.reading import OperationObject, operations
from web.error_envelope import ErrorCatalog
from web.exceptions import RequestError
from web.responses import Response

# It would say of an answer that it was given before.
_NEVER_SHOWN = {"Idempotent-Replayed"}
# Seconds; as the service says it, so that a client that heeds it is not held up for as long as in the documentation.
_RETRY_AFTER = 1


class ResponseExample(NamedTuple):
    """One documented example of a response; without a media type it has no body."""

    status: int
    name: str
    headers: dict[str, str]
    media_type: str | None
    value: Any


class _ExampleError(RequestError):
    """The failure that an example shows."""

    def __init__(self, example: ResponseExample) -> None:
        error = example.value["error"]
        super().__init__(error["system_message"], example.headers, **error["details"])
        if "retry-after" in example.headers:
            self.retry_after = error["details"].get("retry_after", _RETRY_AFTER)
        self.code = error["code"]  # type: ignore[misc] # a class of failure has one code, and this may be any failure


class Examples:
    """The examples of all operations of a document."""

    def __init__(self, document: dict[str, Any], errors: ErrorCatalog) -> None:
        self._errors = errors
        self._shown = {operation.id: list(_shown(operation)) for operation in operations(document)}

    def find(self, operation_id: str, status: int | None, name: str | None) -> ResponseExample | None:
        """The first example with this status and this name; None stands for any."""
        fitting = (one for one in self._shown[operation_id] if status in (None, one.status))
        return next((one for one in fitting if name in (None, one.name)), None)

    def response(self, example: ResponseExample, request_id: str) -> Response:
        """The example as a response to this request; an error has this request's id and time."""
        if example.status >= 400:
            return self._errors.to_response(_ExampleError(example), request_id)
        if example.media_type is None:
            return Response(example.status, example.headers, b"")
        headers = example.headers | {"content-type": example.media_type}
        return Response(example.status, headers, orjson.dumps(example.value), example.value)


def _shown(operation: OperationObject) -> Iterator[ResponseExample]:
    document, responses = operation.document, operation.by_status
    listed = Counter(name for response in responses.values() for name in response.get("headers", {}))
    everywhere = {name for name, count in listed.items() if count > len(responses) / 2}  # the server sets those itself
    for status, response in sorted(responses.items()):
        own = {name: response["headers"][name] for name in response.get("headers", {}) if name not in everywhere}
        headers = {name.lower(): _header(document, header) for name, header in own.items() if name not in _NEVER_SHOWN}
        for media_type, name, value in _bodies(document, response):
            yield ResponseExample(status, name, headers, media_type, value)


def _header(document: dict[str, Any], header: dict[str, Any]) -> str:
    schema = lookup(document, lookup(document, header)["schema"])
    return str(schema["example"])


def _bodies(document: dict[str, Any], response: dict[str, Any]) -> Iterator[tuple[str | None, str, Any]]:
    """Media type, name and value of each example; where there is none, that of the schema."""
    if not response.get("content"):
        yield None, "", None
    for media_type, media in response.get("content", {}).items():
        for name, example in media.get("examples", {}).items():
            yield media_type, name, lookup(document, example)["value"]
        if "examples" not in media:
            yield media_type, "", media.get("example", lookup(document, media["schema"]).get("example"))
