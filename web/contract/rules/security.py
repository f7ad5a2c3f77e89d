"""Rules of security requirements: which credentials the server asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from web.contract.document import lookup
from web.contract.nodes import Node
from web.contract.rules.registry import rule, when


@rule("Operation", "security other than one API key or one bearer token")
def _alternatives(node: Node) -> Iterator[str]:
    """Public operations aside, the server takes either credential, so both must be alternatives of their own."""
    kinds = [sorted(_types(node, alternative)) for alternative in _requirements(node)]
    return when(broken=kinds != [] and sorted(kinds) != [["apiKey"], ["http"]])


@rule("Operation", "scope in a security requirement")
def _scopes(node: Node) -> Iterator[str]:
    scopes = [scope for alternative in _requirements(node) for listed in alternative.values() for scope in listed]
    yield from (f"`{scope}`" for scope in dict.fromkeys(scopes))


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


def _types(node: Node, alternative: dict[str, list[str]]) -> list[str]:
    schemes = _schemes(node)
    return [str(lookup(node.document, schemes.get(name, {})).get("type")) for name in alternative]
