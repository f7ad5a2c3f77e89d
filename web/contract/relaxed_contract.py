"""Relaxed contract for client generators: answers may grow, so that a client accepts a newer server.

Decision 56.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from web.contract import objects
from web.contract.document import METHODS, lookup
from web.contract.reading import JSON

# Languages count characters and interpret patterns differently from the server, so clients must not check these.
LIMITS = frozenset(
    ("enum", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "pattern", "uniqueItems")
)
# The extension by which others name the known values of an open enumeration.
KNOWN_VALUES = "x-extensible-enum"
_SCHEMA = "#/components/schemas/"
_ERROR = {
    "description": "What went wrong.",
    "content": {"application/json": {"schema": {"$ref": f"{_SCHEMA}ErrorEnvelope"}}},
}
_KEPT = ("schemas", "securitySchemes")
_UNTOUCHED = ("examples", "schemas", "securitySchemes")


def relax(document: dict[str, Any], *, with_own_servers: bool = False) -> dict[str, Any]:
    """The contract without what would make a client refuse a newer server's response.

    Limits are dropped; an enumeration becomes text with its values in `x-extensible-enum`; objects are open,
    except those that occur in requests only, where an unknown field is a mistake of the caller. All responses of 400
    and above are one `default` response with the error envelope. A media type of a request body whose schema is that of
    its JSON is dropped, because many generators make a type for each media type, or take one only. A path with a server
    of its own is dropped unless `with_own_servers`: it is for browsers, and most generated clients call one server.
    """
    components = document["components"]
    rules = _Rules(document)
    paths = [(path, item) for path, item in document["paths"].items() if with_own_servers or "servers" not in item]
    relaxed = {
        **document,
        "paths": {path: rules.path_item(item) for path, item in paths},
        "components": {
            **{name: rules.section(name, nodes) for name, nodes in components.items()},
            "schemas": {name: rules.schema(name) for name in components["schemas"]},
            "responses": {**rules.section("responses", components.get("responses", {})), "Error": _ERROR},
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
        self.closed = _references("RequestBody", sent, document) - _references("Responses", answered, document)

    def section(self, name: str, nodes: dict[str, Any]) -> Any:
        """A section of the Components Object."""
        return nodes if name in _UNTOUCHED else self.relaxed(objects.FIELDS["Components"][name], nodes)

    def schema(self, name: str) -> Any:
        schema = self.schemas[name]
        return schema if "enum" in schema else self.relaxed("Schema", schema, closed=_SCHEMA + name in self.closed)

    def path_item(self, item: dict[str, Any]) -> dict[str, Any]:
        relaxed: dict[str, Any] = self.relaxed("PathItem", item)
        return relaxed | {method: self.operation(item[method]) for method in METHODS if method in item}

    def operation(self, node: dict[str, Any]) -> dict[str, Any]:
        relaxed: dict[str, Any] = self.relaxed("Operation", node)
        successes = {status: answer for status, answer in relaxed["responses"].items() if status < "4"}
        if "requestBody" in node:
            relaxed["requestBody"] = self.relaxed("RequestBody", _with_one_form(node["requestBody"]), closed=True)
        return relaxed | {"responses": {**successes, "default": {"$ref": "#/components/responses/Error"}}}

    def relaxed(self, kind: str, node: Any, *, closed: bool = False) -> Any:
        """The object without limits and enumerations, and without closed objects unless `closed`."""
        if objects.is_reference(kind, node):
            if node["$ref"] not in self.enums:
                return node
            name = node["$ref"].removeprefix(_SCHEMA)
            text = {"type": "string", "description": f"One of `{name}`; a newer server may know more."}
            return text | {KNOWN_VALUES: self.schemas[name]["enum"]}
        held = {key: self.relaxed(inner, item, closed=closed) for key, inner, item in objects.members(kind, node)}
        if not isinstance(node, dict):
            return list(held.values()) if isinstance(node, list) else node
        dropped = _dropped(node, closed=closed) if kind == "Schema" else frozenset()
        kept = {key: held.get(key, value) for key, value in node.items() if key not in dropped}
        return kept | {KNOWN_VALUES: node["enum"]} if kind == "Schema" and "enum" in node else kept


def _with_one_form(body: dict[str, Any]) -> dict[str, Any]:
    """The Request Body Object without the media types that have the schema of its JSON."""
    content = body.get("content", {})
    if JSON not in content:
        return body
    schema = content[JSON].get("schema")
    kept = {name: media for name, media in content.items() if name == JSON or media.get("schema") != schema}
    return body | {"content": kept}


def _dropped(schema: dict[str, Any], *, closed: bool) -> frozenset[str]:
    """The keywords to drop from a Schema Object."""
    is_closed = schema.get("additionalProperties") is False and not closed
    return LIMITS | {"additionalProperties"} if is_closed else LIMITS


def _referenced(document: dict[str, Any]) -> dict[str, Any]:
    """The components without those that nothing refers to; schemas stay, because the enumerations hold constants."""
    used = _references("PathItem", document["paths"].values(), document)
    return {
        section: nodes
        if section in _KEPT
        else {name: node for name, node in nodes.items() if f"#/components/{section}/{name}" in used}
        for section, nodes in document["components"].items()
    }


def _references(kind: str, nodes: Iterable[Any], document: dict[str, Any]) -> set[str]:
    """The local references in objects of one kind and in what they refer to; data, such as an example, has none."""
    found: set[str] = set()
    pending = [(kind, node) for node in nodes]
    while pending:
        kind, node = pending.pop()
        if not objects.is_reference(kind, node):
            pending.extend((inner, item) for _, inner, item in objects.members(kind, node))
        elif node["$ref"] not in found:
            found.add(node["$ref"])
            pending.append((kind, lookup(document, node)))
    return found
