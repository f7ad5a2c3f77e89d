"""Rules of request bodies and responses: one success with JSON, and the error envelope for everything else."""

from __future__ import annotations

from collections.abc import Iterator

from web.contract.nodes import Node
from web.contract.reading import JSON
from web.contract.rules.registry import rule, when

_ENVELOPE = "#/components/schemas/ErrorEnvelope"


@rule("RequestBody", "several media types")
def _bodies(node: Node) -> Iterator[str]:
    return when(broken=len(node.value["content"]) != 1)


@rule("Response", "several media types")
def _contents(node: Node) -> Iterator[str]:
    return when(broken=len(node.value.get("content", {})) > 1)


@rule("MediaType", "no schema")
def _no_schema(node: Node) -> Iterator[str]:
    return when(broken="schema" not in node.value)


@rule("Operation", "no success response")
def _no_success(node: Node) -> Iterator[str]:
    return when(broken=not _successes(node))


@rule("Operation", "two success responses")
def _two_successes(node: Node) -> Iterator[str]:
    found = _successes(node)
    return when(broken=len(found) > 1, detail=" and ".join(map(str, found)))


@rule("Operation", "informational or redirecting response")
def _other(node: Node) -> Iterator[str]:
    statuses = node.operation().by_status
    yield from (str(status) for status in statuses if status < 200 or (300 <= status < 400 and status != 304))


@rule("Operation", "304 without If-None-Match")
def _not_modified(node: Node) -> Iterator[str]:
    operation = node.operation()
    asked = "if-none-match" in (name.lower() for name in operation.parameter_names("header"))
    return when(broken=304 in operation.by_status and not (asked and operation.method == "GET"))


@rule("Operation", "success without content")
def _empty(node: Node) -> Iterator[str]:
    responses = node.operation().by_status
    return (str(status) for status in _successes(node) if not responses[status].get("content"))


@rule("Operation", "error response without the envelope")
def _errors(node: Node) -> Iterator[str]:
    for status, response in node.operation().by_status.items():
        schema = response.get("content", {}).get(JSON, {}).get("schema")
        yield from when(broken=status >= 400 and schema != {"$ref": _ENVELOPE}, detail=str(status))


def _successes(node: Node) -> list[int]:
    return [status for status in node.operation().by_status if 200 <= status < 300]
