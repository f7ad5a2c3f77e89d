"""Rules of links: each leads to an operation, and Location can be made of the first one that leads to a GET."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from web.contract.nodes import Node
from web.contract.reading import JSON, OperationObject, operations
from web.contract.rules.registry import rule, when

_EXPRESSION = re.compile(r"\$request\.path\.(?P<path>\w+)|\$response\.body#/(?P<body>[^/]+)")


@rule("Link", "operationId that does not exist")
def _unknown(node: Node) -> Iterator[str]:
    name = node.value.get("operationId")
    known = {operation.id for operation in operations(node.document)}
    return when(broken=name is not None and name not in known, detail=f"`{name}`")


@rule("Operation", "201 without a link to the new resource")
def _no_link(node: Node) -> Iterator[str]:
    created = 201 in node.operation().by_status
    return when(broken=created and _location(node.operation()) is None)


@rule("Operation", "link of a 201 with a value that is not found")
def _unresolved(node: Node) -> Iterator[str]:
    operation = node.operation()
    found = _location(operation)
    if found is None:
        return
    link, target = found
    parameters = link.get("parameters", {})
    for name in {**dict.fromkeys(target.path_names), **parameters}:
        right = name in target.path_names and _is_found(operation, parameters.get(name))
        yield from when(broken=not right, detail=f"`{name}: {parameters.get(name)}`")


def _location(operation: OperationObject) -> tuple[dict[str, Any], OperationObject] | None:
    """The link of a 201 that Location is made of, and the operation it leads to."""
    gets = {other.id: other for other in operations(operation.document) if other.method == "GET"}
    response = operation.by_status.get(201, {})
    links = (operation.follow(link) for link in response.get("links", {}).values())
    return next(((link, gets[link["operationId"]]) for link in links if link.get("operationId") in gets), None)


def _is_found(operation: OperationObject, expression: Any) -> bool:
    match = _EXPRESSION.fullmatch(expression) if isinstance(expression, str) else None
    if match is None:
        return False
    if match["path"]:
        return match["path"] in operation.path_names
    media = operation.by_status[201].get("content", {}).get(JSON, {})
    schema = operation.follow(media.get("schema", {}))
    return match["body"] in schema.get("required", []) and match["body"] in schema.get("properties", {})
