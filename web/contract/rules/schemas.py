"""Rules of Schema Objects: what the validators cannot compile, and keywords that have no effect where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs

from web.contract.document import lookup
from web.contract.nodes import Node
from web.contract.rules.registry import rule, when
from web.contract.schemas import Validator

_BOUNDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}
_COMPOSED = ("allOf", "anyOf", "oneOf")
_NUMBERS = {"int32": ("integer", "number"), "int64": ("integer", "number"), "float": ("number",), "double": ("number",)}


@rule("Schema", "discriminator without alternatives")
def _discriminator(node: Node) -> Iterator[str]:
    alternatives = node.value.get("oneOf") or node.value.get("anyOf") or [{}]
    broken = "discriminator" in node.value and not all("$ref" in schema for schema in alternatives)
    return when(broken=broken)


@rule("Schema", "nullable with an enum without null")
def _nullable_enum(node: Node) -> Iterator[str]:
    return when(broken=node.value.get("nullable") is True and None not in node.value.get("enum", [None]))


@rule("Schema", "exclusiveMinimum without minimum, or exclusiveMaximum without maximum")
def _exclusive(node: Node) -> Iterator[str]:
    alone = (word for word, bound in _BOUNDS.items() if node.value.get(word) is True and bound not in node.value)
    yield from (f"`{word}`" for word in alone)


@rule("Schema", "array without items")
def _items(node: Node) -> Iterator[str]:
    return when(broken=node.value.get("type") == "array" and "items" not in node.value)


@rule("Schema", "pattern that takes more than linear time or is no regular expression")
def _pattern(node: Node) -> Iterator[str]:
    pattern = node.value.get("pattern")
    return when(broken=pattern is not None and not _compiles(pattern), detail=f"`{pattern}`")


@rule("Schema", "format of another type")
def _format(node: Node) -> Iterator[str]:
    name, kind = node.value.get("format"), node.value.get("type")
    broken = name is not None and kind not in _NUMBERS.get(name, ("string",))
    return when(broken=broken, detail=f"`{name}`")


@rule("Schema", "schema that is a part of itself")
def _itself(node: Node) -> Iterator[str]:
    return when(broken=any(part is node.value for part in _composed(node.value, node.document)))


@rule("Schema", "default in a body")
def _default(node: Node) -> Iterator[str]:
    return when(broken="default" in node.value and node.use == "request", detail=f"`{node.value.get('default')}`")


@rule("Schema", "default that breaks its schema")
def _wrong_default(node: Node) -> Iterator[str]:
    if "default" in node.value:
        value = node.value["default"]
        return when(broken=not Validator(node.value, node.document).is_valid(value), detail=f"`{value}`")
    return when(broken=False)


def _composed(schema: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    """The schemas that are checked on the same value, each once."""
    found: list[dict[str, Any]] = []
    pending = [schema]
    while pending:
        composed = pending.pop()
        parts = [lookup(document, part) for word in _COMPOSED for part in composed.get(word, ())]
        fresh = [part for part in parts if not any(part is each for each in found)]
        found += fresh
        pending += fresh
    return found


@cache
def _compiles(pattern: str) -> bool:
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())
    except jsonschema_rs.ValidationError:
        return False
    return True
