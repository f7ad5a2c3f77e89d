"""Example values: those of the contract, else a value made from the schema."""

from __future__ import annotations

from typing import Any

from web.contract.document import lookup

MAX_DEPTH = 8
_TEXTS = {
    "byte": "YQ==", "date": "2026-06-28", "date-time": "2026-06-28T10:30:00Z", "duration": "P1D",
    "email": "a@music.example", "hostname": "music.example", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1",
    "json-pointer": "/a", "regex": "a+", "time": "10:30:00Z", "uri": "https://music.example",
    "uri-reference": "/a", "uri-template": "/a/{b}", "uuid": "0f8fad5b-d9cb-469f-a165-70867728950e",
}  # fmt: skip


def of_holder(node: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    """The Example Objects of a Media Type or Parameter Object: `example`, `examples`, or one made from its schema."""
    if "example" in node:
        return [{"value": node["example"]}]
    listed = [lookup(document, example) for example in node.get("examples", {}).values()]
    shown = [example for example in listed if "value" in example]
    return shown or [{"value": of_schema(node.get("schema", {}), document)}]


def of_schema(node: dict[str, Any], document: dict[str, Any], depth: int = 0) -> Any:
    """The example of a schema, else its default or first allowed value, else the smallest value of its type.

    It is for readers: a pattern is not looked at.
    """
    schema = lookup(document, node)
    given = [schema[word] for word in ("example", "default") if word in schema] + schema.get("enum", [])[:1]
    if given:
        return given[0]
    if depth == MAX_DEPTH:
        return None
    for word in ("oneOf", "anyOf"):
        if word in schema:
            return of_schema(schema[word][0], document, depth + 1)
    parts = [of_schema(part, document, depth + 1) for part in schema.get("allOf", [])]
    made = _of_type(schema, document, depth)
    objects = [part for part in (*parts, made) if isinstance(part, dict)]
    return {name: value for part in objects for name, value in part.items()} if parts and objects else made


def _of_type(schema: dict[str, Any], document: dict[str, Any], depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "")
    if kind == "object":
        properties = schema.get("properties", {}).items()
        return {name: of_schema(child, document, depth + 1) for name, child in properties if _is_shown(schema, name)}
    if kind == "array":
        return [of_schema(schema.get("items", {}), document, depth + 1)] * max(1, schema.get("minItems", 1))
    if kind == "string":
        return _TEXTS.get(schema.get("format", ""), "text")
    return {"boolean": True, "": "anything"}.get(kind, schema.get("minimum", 1))


def _is_shown(schema: dict[str, Any], name: str) -> bool:
    return name in schema.get("required", [name])
