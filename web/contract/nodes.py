"""Walks an OpenAPI document: every object once, with its kind, its JSON Pointer and the operation it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from web.contract import objects
from web.contract.document import lookup
from web.contract.reading import OperationObject


class Node(NamedTuple):
    """One object of a document. `name` is the key or index under which it stands.

    `use` is what a schema describes: `path`, `query` or `header` parameter, `request` or `response` body, response
    `headers`; empty for everything else. `title` is path and method of the operation, or the part of the document.
    """

    document: dict[str, Any]
    kind: str
    value: dict[str, Any]
    pointer: str
    name: str
    title: str
    use: str

    def operation(self) -> OperationObject:
        """The operation of an Operation node."""
        template = objects.unescape(self.pointer.split("/")[2])
        return OperationObject(self.document, template, self.name)


_USES = {"RequestBody": "request", "Response": "response", "Header": "headers"}


def nodes(document: dict[str, Any]) -> Iterator[Node]:
    """The objects of a bundled document. A component is visited where an operation uses it, else in `components`."""
    seen: set[tuple[str, str, str]] = set()
    root = Node(document, "OpenAPI", document, "#", "", "document", "")
    return _visit(root, seen)


def _visit(node: Node, seen: set[tuple[str, str, str]]) -> Iterator[Node]:
    if objects.is_reference(node.kind, node.value):
        node = node._replace(pointer=node.value["$ref"], value=lookup(node.document, node.value))
    if (node.kind, node.pointer, node.use) in seen:
        return
    seen.add((node.kind, node.pointer, node.use))
    if node.kind in objects.FIELDS and isinstance(node.value, dict):
        node = node._replace(use=_use(node))
        yield node
    for key, kind, value in sorted(objects.members(node.kind, node.value), key=_components_last):
        pointer = f"{node.pointer}/{objects.escape(key)}"
        inner = node._replace(kind=kind, value=value, pointer=pointer, name=key, title=_title(node, kind, key))
        yield from _visit(inner, seen)


def _components_last(member: tuple[str, str, Any]) -> bool:
    return member[1] == "Components"


def _use(node: Node) -> str:
    if node.kind == "Parameter":
        return str(node.value.get("in"))
    return _USES.get(node.kind, node.use)


def _title(node: Node, kind: str, key: str) -> str:
    if kind == "PathItem" and node.kind == "Paths":
        return key
    if kind == "Operation" and node.title.startswith("/"):
        return f"{node.title} {key.upper()}"
    return key if node.kind == "OpenAPI" else f"components/{key}" if node.kind == "Components" else node.title
