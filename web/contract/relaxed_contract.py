"""Relaxed contract for client generators: answers may grow, so that a client accepts a newer server.

Decision 56.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from web.contract.document import METHODS, lookup
from web.contract.reading import JSON

# Languages count characters and interpret patterns differently from the server, so clients must not check these.
LIMITS = frozenset(
    ("enum", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "pattern", "uniqueItems")
)
_VALUES = ("default", "example", "examples")
_SCHEMA = "#/components/schemas/"
_ERROR = {
    "description": "What went wrong.",
    "content": {"application/json": {"schema": {"$ref": f"{_SCHEMA}ErrorEnvelope"}}},
}
_KEPT = ("schemas", "securitySchemes")
_UNTOUCHED = ("examples", "schemas", "securitySchemes")


def relax(document: dict[str, Any]) -> dict[str, Any]:
    """The contract without what would make a client refuse a newer server's response.

    Limits are dropped; an enumeration becomes text, and its values stay as a schema of their own; objects are open,
    except those that occur in requests only, where an unknown field is a mistake of the caller. All responses of 400
    and above are one `default` response with the error envelope. A media type of a request body whose schema is that of
    its JSON is dropped, because many generators make a type for each media type, or take one only.
    """
    components = document["components"]
    rules = _Rules(document)
    relaxed = {
        **document,
        "paths": {path: rules.path_item(item) for path, item in document["paths"].items()},
        "components": {
            **{name: nodes if name in _UNTOUCHED else rules.relaxed(nodes) for name, nodes in components.items()},
            "schemas": {name: rules.schema(name) for name in components["schemas"]},
            "responses": {**rules.relaxed(components.get("responses", {})), "Error": _ERROR},
        },
    }
    return relaxed | {"components": _referenced(relaxed)}


def operations(relaxed: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The Operation Objects of a document."""
    for item in relaxed["paths"].values():
        yield from (item[method] for method in METHODS if method in item)


class _Rules:
    def __init__(self, document: dict[str, Any]) -> None:
        self.schemas = document["components"]["schemas"]
        self.enums = {f"{_SCHEMA}{name}" for name, schema in self.schemas.items() if "enum" in schema}
        sent = (node.get("requestBody") for node in operations(document))
        answered = (node["responses"] for node in operations(document))
        self.closed = _references(sent, document) - _references(answered, document)

    def schema(self, name: str) -> Any:
        schema = self.schemas[name]
        return schema if "enum" in schema else self.relaxed(schema, closed=_SCHEMA + name in self.closed)

    def path_item(self, item: dict[str, Any]) -> dict[str, Any]:
        return {key: self.operation(node) if key in METHODS else self.relaxed(node) for key, node in item.items()}

    def operation(self, node: dict[str, Any]) -> dict[str, Any]:
        successes = {status: self.relaxed(answer) for status, answer in node["responses"].items() if status < "4"}
        relaxed: dict[str, Any] = self.relaxed(node)
        if "requestBody" in node:
            relaxed["requestBody"] = self.relaxed(_with_one_form(node["requestBody"]), closed=True)
        return relaxed | {"responses": {**successes, "default": {"$ref": "#/components/responses/Error"}}}

    def relaxed(self, node: Any, *, closed: bool = False) -> Any:
        """The node without limits and enumerations, and without closed objects unless `closed`."""
        if isinstance(node, list):
            return [self.relaxed(item, closed=closed) for item in node]
        if not isinstance(node, dict):
            return node
        if node.get("$ref") in self.enums:
            name = node["$ref"].removeprefix(_SCHEMA)
            return {"type": "string", "description": f"One of `{name}`; a newer server may know more."}
        dropped = _dropped(node, closed=closed)
        return {
            key: value if key in _VALUES else self.relaxed(value, closed=closed)
            for key, value in node.items()
            if key not in dropped
        }


def _with_one_form(body: dict[str, Any]) -> dict[str, Any]:
    """The Request Body Object without the media types that have the schema of its JSON."""
    content = body.get("content", {})
    if JSON not in content:
        return body
    schema = content[JSON].get("schema")
    kept = {name: media for name, media in content.items() if name == JSON or media.get("schema") != schema}
    return body | {"content": kept}


def _dropped(node: dict[str, Any], *, closed: bool) -> frozenset[str]:
    """The keywords to drop from a node: none unless it is a Schema Object with a type."""
    if not isinstance(node.get("type"), str):
        return frozenset()
    is_closed = node.get("additionalProperties") is False and not closed
    return LIMITS | {"additionalProperties"} if is_closed else LIMITS


def _referenced(document: dict[str, Any]) -> dict[str, Any]:
    """The components without those that nothing refers to; schemas stay, because the enumerations hold constants."""
    used = _references(document["paths"].values(), document)
    return {
        section: nodes
        if section in _KEPT
        else {name: node for name, node in nodes.items() if f"#/components/{section}/{name}" in used}
        for section, nodes in document["components"].items()
    }


def _references(nodes: Iterable[Any], document: dict[str, Any]) -> set[str]:
    """The local references in the nodes and in what they refer to."""
    found: set[str] = set()
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str) and reference not in found:
                found.add(reference)
                pending.append(lookup(document, node))
            pending.extend(node.values())
    return found
