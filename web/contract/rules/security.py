"""Rules of security requirements: each names a scheme that is declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from web.contract.nodes import Node
from web.contract.rules.registry import rule


@rule("Operation", "security scheme that is not declared")
def _undeclared(node: Node) -> Iterator[str]:
    names = dict.fromkeys(name for alternative in _requirements(node) for name in alternative)
    yield from (f"`{name}`" for name in names if name not in _schemes(node))


def _requirements(node: Node) -> list[dict[str, list[str]]]:
    found: list[dict[str, list[str]]] = node.value.get("security", node.document.get("security", []))
    return found


def _schemes(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = node.document.get("components", {}).get("securitySchemes", {})
    return found
