"""Rules of links: each leads to an operation, with values that its response or request has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from web.contract.links import expression
from web.contract.nodes import Node
from web.contract.reading import OperationObject, operations
from web.contract.rules.registry import rule, when

_REQUEST = re.compile(r"\$request\.(path|query|header)\.(.+)")


@rule("Link", "operationId that does not exist")
def _unknown(node: Node) -> Iterator[str]:
    name = node.value.get("operationId")
    known = {operation.id for operation in operations(node.document)}
    return when(broken=name is not None and name not in known, detail=f"`{name}`")


@rule("Operation", "link with a value that is not found")
def _unresolved(node: Node) -> Iterator[str]:
    operation = node.operation()
    for response in operation.by_status.values():
        for link in map(operation.follow, response.get("links", {}).values()):
            for name, value in link.get("parameters", {}).items():
                yield from when(broken=not _is_found(operation, value), detail=f"`{name}: {value}`")


def _is_found(operation: OperationObject, value: Any) -> bool:
    """Whether the expression has a value; what a pointer finds in a body is known when there is one."""
    try:
        expression(value)
    except ValueError:
        return False
    asked = _REQUEST.fullmatch(value) if isinstance(value, str) else None
    return asked is None or asked[2].lower() in map(str.lower, operation.parameter_names(asked[1]))
