"""Rules of request bodies and responses: one schema for all media types, and the error envelope for every error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from web.contract.media_types import is_json
from web.contract.nodes import Node
from web.contract.operations import ADDED_LATER
from web.contract.parameters import types
from web.contract.reading import HTML, JSON
from web.contract.rules.registry import rule, when
from web.contract.schemas import ValidatorCache

YAML = "application/yaml"
_ENVELOPE = "#/components/schemas/ErrorEnvelope"


@rule("RequestBody", "several media types with different schemas")
def _bodies(node: Node) -> Iterator[str]:
    return when(broken=_differ(node.value["content"]))


@rule("Response", "several media types with different schemas")
def _contents(node: Node) -> Iterator[str]:
    """The page of an error stands beside its envelope."""
    content = node.value.get("content", {})
    is_error = content.get(JSON, {}).get("schema") == {"$ref": _ENVELOPE}
    return when(broken=_differ({name: media for name, media in content.items() if not (is_error and name == HTML)}))


@rule("MediaType", "no schema")
def _no_schema(node: Node) -> Iterator[str]:
    return when(broken="schema" not in node.value)


@rule("Operation", "no success response")
def _no_success(node: Node) -> Iterator[str]:
    return when(broken=not _successes(node))


@rule("MediaType", "text or bytes with a schema that is no string")
def _no_string(node: Node) -> Iterator[str]:
    """A handler returns YAML encoded, and it is not validated."""
    is_object = is_json(node.name) or (node.use == "response" and node.name == YAML)
    schema = node.value.get("schema", {})
    broken = not is_object and types(schema, ValidatorCache(node.document)) != ["string"]
    return when(broken=broken, detail=f"`{node.name}`")


@rule("Operation", "informational response")
def _informational(node: Node) -> Iterator[str]:
    yield from (str(status) for status in node.operation().by_status if status < 200)


@rule("Operation", "304 without If-None-Match")
def _not_modified(node: Node) -> Iterator[str]:
    operation = node.operation()
    asked = "if-none-match" in (name.lower() for name in operation.parameter_names("header"))
    return when(broken=304 in operation.by_status and not (asked and operation.method in ("GET", "HEAD")))


@rule("Operation", "content of a 204 or 304")
def _content(node: Node) -> Iterator[str]:
    responses = node.operation().by_status
    yield from (str(status) for status in (204, 304) if responses.get(status, {}).get("content"))


@rule("Operation", "error response without the envelope")
def _errors(node: Node) -> Iterator[str]:
    for status, response in node.operation().by_status.items():
        schema = response.get("content", {}).get(JSON, {}).get("schema")
        yield from when(broken=status >= 400 and schema != {"$ref": _ENVELOPE}, detail=str(status))


@rule("Header", "required header that the service sends in some responses only")
def _sometimes(node: Node) -> Iterator[str]:
    return when(broken=node.value.get("required") is True and node.name.lower() in ADDED_LATER, detail=f"`{node.name}`")


def _successes(node: Node) -> list[int]:
    return [status for status in node.operation().by_status if 200 <= status < 400 and status != 304]


def _differ(content: dict[str, Any]) -> bool:
    return len({json.dumps(media.get("schema")) for media in content.values()}) > 1
