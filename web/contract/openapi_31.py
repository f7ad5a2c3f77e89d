"""OpenAPI 3.1 form of an OpenAPI 3.0 document: its schemas are JSON Schema 2020-12 and describe the same values."""

from __future__ import annotations

from typing import Any

VERSION = "3.1.0"
_VALUES = ("default", "enum", "example", "examples", "value")
_BY_NAME = ("properties", "patternProperties", "schemas")
_EXCLUSIVE = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}


def convert(document: dict[str, Any]) -> dict[str, Any]:
    """The document in OpenAPI 3.1. What 3.0 has in all other objects is valid in 3.1 as it is."""
    converted: dict[str, Any] = _converted(document)
    return converted | {"openapi": VERSION}


def _converted(node: Any) -> Any:
    """A node outside of schemas, with the schemas in it converted."""
    if isinstance(node, list):
        return [_converted(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _member(key, value) for key, value in node.items()}


def _member(key: str, value: Any) -> Any:
    if key == "schema":
        return schema(value)
    if key == "schemas" and isinstance(value, dict):
        return {name: schema(child) for name, child in value.items()}
    return value if key in _VALUES or key.startswith("x-") else _converted(value)


def schema(node: Any) -> Any:
    """A Schema Object of OpenAPI 3.0.3 as a schema of JSON Schema 2020-12; annotations are kept.

    `nullable` becomes a type or a value, Boolean exclusive bounds become numbers, `example` becomes `examples`, and an
    enumeration of one value becomes `const`. `nullable` without `type` and anything beside `$ref` have no effect in
    OpenAPI 3.0.3, so they are dropped.
    """
    if isinstance(node, list):
        return [schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        return {"$ref": node["$ref"]}
    converted = {key: _keyword(key, value) for key, value in node.items() if key not in ("nullable", "example")}
    for bound, exclusive in _EXCLUSIVE.items():
        if converted.pop(exclusive, False) is True and bound in converted:
            converted[exclusive] = converted.pop(bound)
    if node.get("nullable") is True and "type" in node:
        converted |= _nullable(converted)
    if len(converted.get("enum", ())) == 1:
        converted["const"] = converted.pop("enum")[0]
    return converted | ({"examples": [node["example"]]} if "example" in node else {})


def _keyword(key: str, value: Any) -> Any:
    if key in _BY_NAME:
        return {name: schema(child) for name, child in value.items()}
    return value if key in _VALUES or key.startswith("x-") else schema(value)


def _nullable(node: dict[str, Any]) -> dict[str, Any]:
    """The keywords that allow null as well."""
    enum = {"enum": [*node["enum"], None]} if "enum" in node and None not in node["enum"] else {}
    return {"type": [node["type"], "null"]} | enum
