"""What the contract shows of every answer, ready to be given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from web import exceptions
from web.contract import document as contract
from web.responses import Response

# It would say of an answer that it was given before.
_NEVER_SHOWN = {"Idempotent-Replayed"}
# Seconds; as the service says it, so that a client that heeds it is not held up for as long as in the documentation.
_RETRY_AFTER = 1


class ResponseExample(NamedTuple):
    """One documented example of an answer; without a media type it has no body."""

    status: int
    name: str
    headers: dict[str, str]
    media_type: str | None
    value: Any

    def response(self, request_id: str) -> Response:
        """The example as an answer to this request; an error has this request's id and moment."""
        if self.status >= 400:
            return exceptions.to_response(_Asked(self), request_id)
        if self.media_type is None:
            return Response(self.status, self.headers, b"")
        headers = self.headers | {"content-type": self.media_type}
        return Response(self.status, headers, orjson.dumps(self.value), self.value)


class _Asked(exceptions.RequestError):
    """The failure that an example is of."""

    def __init__(self, shown: ResponseExample) -> None:
        error = shown.value["error"]
        super().__init__(error["system_message"], shown.headers, **error["details"])
        if "retry-after" in shown.headers:
            self.retry_after = error["details"].get("retry_after", _RETRY_AFTER)
        self.code = error["code"]  # type: ignore[misc] # any class of failure has one code, and this may be any failure


class Examples:
    """The examples of all operations of a document."""

    def __init__(self, document: dict[str, Any]) -> None:
        nodes = [item[method] for item in document["paths"].values() for method in contract.METHODS if method in item]
        self._shown = {node["operationId"]: list(_shown(document, node)) for node in nodes}

    def find(self, operation_id: str, status: int | None, name: str | None) -> ResponseExample | None:
        """The first example with this status and this name; None stands for any."""
        fitting = (one for one in self._shown[operation_id] if status in (None, one.status))
        return next((one for one in fitting if name in (None, one.name)), None)


def _shown(document: dict[str, Any], node: dict[str, Any]) -> Iterator[ResponseExample]:
    responses = {int(status): contract.lookup(document, found) for status, found in node["responses"].items()}
    listed = Counter(name for response in responses.values() for name in response.get("headers", {}))
    everywhere = {name for name, count in listed.items() if count > len(responses) / 2}  # the edge sets those itself
    for status, response in sorted(responses.items()):
        own = {name: response["headers"][name] for name in response.get("headers", {}) if name not in everywhere}
        headers = {name.lower(): _header(document, header) for name, header in own.items() if name not in _NEVER_SHOWN}
        for media_type, name, value in _bodies(document, response):
            yield ResponseExample(status, name, headers, media_type, value)


def _header(document: dict[str, Any], header: dict[str, Any]) -> str:
    schema = contract.lookup(document, contract.lookup(document, header)["schema"])
    return str(schema["example"])


def _bodies(document: dict[str, Any], response: dict[str, Any]) -> Iterator[tuple[str | None, str, Any]]:
    """Media type, name and value of each example; where there is none, that of the schema."""
    if not response.get("content"):
        yield None, "", None
    for media_type, media in response.get("content", {}).items():
        for name, example in media.get("examples", {}).items():
            yield media_type, name, contract.lookup(document, example)["value"]
        if "examples" not in media:
            yield media_type, "", media.get("example", contract.lookup(document, media["schema"]).get("example"))
