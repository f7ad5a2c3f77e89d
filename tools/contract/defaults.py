"""Removes keywords that have their default, such as `explode: true` of a query parameter (OpenAPI 3.0.3)."""

from __future__ import annotations

from typing import Any

_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("allowEmptyValue", "allowReserved", "deprecated", "required"), False),
    **dict.fromkeys(
        ("exclusiveMaximum", "exclusiveMinimum", "nullable", "readOnly", "uniqueItems", "writeOnly"), False
    ),
    **dict.fromkeys(("minItems", "minLength", "minProperties"), 0),
    "additionalProperties": True,
}
_STYLES = {"query": "form", "cookie": "form", "path": "simple", "header": "simple"}
_NAMED = ("callbacks", "headers", "parameters", "properties", "responses", "schemas", "securitySchemes")
_VALUES = ("default", "enum", "example", "examples", "required")


def without_defaults(node: Any, place: str = "") -> Any:
    """The node without keywords that have their default; `place` is the key under which the node stands."""
    if isinstance(node, list):
        return [without_defaults(item) for item in node]
    if not isinstance(node, dict):
        return node
    if place in _NAMED:  # the keys are names of the contract, and the name of a Header Object says that it is one
        return {name: without_defaults(child, "header" if place == "headers" else "") for name, child in node.items()}
    defaults = _DEFAULTS | _serialization(node, place)
    return {
        key: value if key in _VALUES or key.startswith("x-") else without_defaults(value, key)
        for key, value in node.items()
        if not (key in defaults and _same(value, defaults[key]))
    }


def _serialization(node: dict[str, Any], place: str) -> dict[str, Any]:
    """The defaults of `style` and `explode` of a Parameter Object or Header Object."""
    location = "header" if place == "header" else node.get("in") if "name" in node else None
    if location not in _STYLES:
        return {}
    style = node.get("style", _STYLES[location])
    return {"style": _STYLES[location], "explode": style == "form"}


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)
