"""The contract's examples of all responses, as Response objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from web.contract.document import lookup
from web.contract.media_types import is_json
from web.contract.reading import OperationObject, operations
from web.error_envelope import ErrorCatalog
from web.exceptions import RequestError
from web.responses import UNCHECKED, Response

# Marks a replayed response, which an example is not.
_OMITTED = {"Idempotent-Replayed"}
# Seconds, as the service sends it; the documented example is longer and would delay clients.
_RETRY_AFTER = 1


class ResponseExample(NamedTuple):
    """One documented example of a response; `media_type` is None if it has no body."""

    status: int
    name: str
    headers: dict[str, str]
    media_type: str | None
    value: Any


class _ExampleError(RequestError):
    """The error in an example."""

    def __init__(self, example: ResponseExample) -> None:
        error = example.value["error"]
        super().__init__(error["system_message"], example.headers, **error["details"])
        if "retry-after" in example.headers:
            self.retry_after = error["details"].get("retry_after", _RETRY_AFTER)
        self.code = error["code"]  # other classes have one code each


class Examples:
    """The examples of all operations of a document."""

    def __init__(self, document: dict[str, Any], errors: ErrorCatalog) -> None:
        self._errors = errors
        self._by_operation = {operation.id: list(_examples_of(operation)) for operation in operations(document)}

    def find(self, operation_id: str, status: int | None, name: str | None) -> ResponseExample | None:
        """The first example with this status and name; None means any."""
        matching = (example for example in self._by_operation[operation_id] if status in (None, example.status))
        return next((example for example in matching if name in (None, example.name)), None)

    def response(self, example: ResponseExample, request_id: str) -> Response:
        """The example as a response; an error gets the id and time of this request."""
        if example.status >= 400:
            return self._errors.to_response(_ExampleError(example), request_id)
        if example.media_type is None:
            return Response(example.status, example.headers, b"")
        headers = example.headers | {"content-type": example.media_type}
        if isinstance(example.value, str) and not is_json(example.media_type):
            return Response(example.status, headers, example.value.encode(), example.value)
        data = example.value if is_json(example.media_type) else UNCHECKED  # JSON is YAML too
        return Response(example.status, headers, orjson.dumps(example.value), data)


def _examples_of(operation: OperationObject) -> Iterator[ResponseExample]:
    document, responses = operation.document, operation.by_status
    counts = Counter(name for response in responses.values() for name in response.get("headers", {}))
    defaults = {name for name, count in counts.items() if count > len(responses) / 2}  # sent by the server itself
    for status, response in sorted(responses.items()):
        own = {name: response["headers"][name] for name in response.get("headers", {}) if name not in defaults}
        headers = {name.lower(): _header(document, header) for name, header in own.items() if name not in _OMITTED}
        for media_type, name, value in _bodies(document, response):
            yield ResponseExample(status, name, headers, media_type, value)


def _header(document: dict[str, Any], header: dict[str, Any]) -> str:
    header = lookup(document, header)
    return str(header.get("example", lookup(document, header.get("schema", {})).get("example", "")))


def _bodies(document: dict[str, Any], response: dict[str, Any]) -> Iterator[tuple[str | None, str, Any]]:
    """Media type, name and value of each example, or the example of the schema if there is none."""
    if not response.get("content"):
        yield None, "", None
    for media_type, media in response.get("content", {}).items():
        for name, example in media.get("examples", {}).items():
            yield media_type, name, lookup(document, example)["value"]
        if "examples" not in media:
            yield media_type, "", media.get("example", lookup(document, media["schema"]).get("example"))
