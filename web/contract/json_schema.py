"""Schema Objects of OpenAPI 3.0 converted to JSON Schema 2020-12, for requests or for responses."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

Absent = Literal["readOnly", "writeOnly"]
"""The properties that a body does not have: `readOnly` ones in a request, `writeOnly` ones in a response."""

_COMPONENT = "#/components/schemas/"
_DROPPED = frozenset(
    ("example", "nullable", "xml", "externalDocs", "discriminator", "deprecated", "description", "title", "readOnly",
     "writeOnly")
)  # fmt: skip
_DRAFT_4 = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}
_BRANCHES = ("allOf", "anyOf", "oneOf")
_BASE64 = "base64 text"  # as the sentence of the violation says it
_RANGES: dict[str, dict[str, float]] = {
    "int32": {"minimum": -(2**31), "maximum": 2**31 - 1},
    "int64": {"minimum": -(2**63), "maximum": 2**63 - 1},
    "float": {"minimum": -(2 - 2**-23) * 2.0**127, "maximum": (2 - 2**-23) * 2.0**127},
}
_TIGHTER: dict[str, Callable[[float, float], float]] = {"minimum": max, "maximum": min}
_WITHOUT_NUMBERS = frozenset(("object", "array", "string", "boolean", "null"))
_SUBSCHEMAS = ("items", "additionalProperties", "not")


class Converter:
    """Converts the schemas of one document. `absent`: the properties that a value must not have, nor need to have."""

    def __init__(self, document: Mapping[str, Any], absent: Absent | None) -> None:
        self._named: dict[str, Any] = document.get("components", {}).get("schemas", {})
        self._absent = absent

    def root(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A JSON Schema that contains every component it refers to. Raises ValueError for an unknown component."""
        needed = {name: self._convert(self._named[name]) for name in self._names(schema)}
        converted: dict[str, Any] = self._convert(schema)
        return converted | {"components": {"schemas": needed}}

    def _convert(self, schema: Any, absent: frozenset[str] = frozenset()) -> Any:
        """`absent` are the names of absent properties of the schemas that this one is combined with by allOf."""
        if not isinstance(schema, dict):
            return schema
        absent |= self._absent_names(schema)
        out = {
            key: self._keyword(key, value, absent)
            for key, value in schema.items()
            if key not in _DROPPED and not key.startswith("x-")
        }
        for bound, exclusive in _DRAFT_4.items():
            if out.pop(exclusive, False) is True and bound in out:
                out[exclusive] = out.pop(bound)
        out = _with_format(out)
        if "discriminator" in schema:
            out = {"allOf": [out, *self._by_discriminator(schema)]}
        return _nullable(out) if schema.get("nullable") is True else out

    def _keyword(self, key: str, value: Any, absent: frozenset[str]) -> Any:
        if key == "properties":
            return {name: not self._is_absent(child) and self._convert(child) for name, child in value.items()}
        if key == "required":
            return [name for name in value if name not in absent]
        if key in _BRANCHES:
            return [self._convert(branch, absent) for branch in value]
        return self._convert(value) if key in _SUBSCHEMAS else value

    def _by_discriminator(self, schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The property must name one of the alternatives, and the value must be valid for the one it names.

        OpenAPI 3.0.3, Discriminator Object: an alternative without a mapping is named like its component.
        """
        name: str = schema["discriminator"]["propertyName"]
        mapping = {value: _component(to) for value, to in schema["discriminator"].get("mapping", {}).items()}
        alternatives = [_component(node["$ref"]) for node in schema.get("oneOf", schema.get("anyOf", ()))]
        mapping |= {component: component for component in alternatives if component not in mapping.values()}
        yield {"required": [name]}
        if alternatives:
            yield {"properties": {name: {"enum": list(mapping)}}}
        for value, component in mapping.items():
            condition = {"required": [name], "properties": {name: {"const": value}}}
            yield {"if": condition, "then": {"$ref": _COMPONENT + component}}

    def _absent_names(self, schema: dict[str, Any], seen: frozenset[str] = frozenset()) -> frozenset[str]:
        """The names of the absent properties of a schema and of its branches."""
        if "$ref" in schema:
            reference: str = schema["$ref"]
            return frozenset() if reference in seen else self._absent_names(self._follow(schema), seen | {reference})
        own = {name for name, child in schema.get("properties", {}).items() if self._is_absent(child)}
        branches = [branch for key in _BRANCHES for branch in schema.get(key, ())]
        return frozenset(own).union(*(self._absent_names(branch, seen) for branch in branches))

    def _is_absent(self, schema: dict[str, Any]) -> bool:
        return self._absent is not None and self._follow(schema).get(self._absent) is True

    def _follow(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema, or the component that it refers to."""
        while "$ref" in schema:
            schema = self._component_of(schema["$ref"])
        return schema

    def _component_of(self, reference: str) -> dict[str, Any]:
        name = _component(reference)
        if name not in self._named:
            raise ValueError(f"The schema refers to {reference}, and the document has no such component.")
        found: dict[str, Any] = self._named[name]
        return found

    def _names(self, schema: dict[str, Any], names: frozenset[str] = frozenset()) -> frozenset[str]:
        """The names of the components that a schema refers to, directly or through other components."""
        if "$ref" in schema:
            name = _component(schema["$ref"])
            return names if name in names else self._names(self._component_of(schema["$ref"]), names | {name})
        for child in _children(schema):
            names = self._names(child, names)
        return names


def may_have_numbers(converted: dict[str, Any]) -> bool:
    """Whether a value of a converted schema may have a number, as far as the types of its parts tell."""
    return any(map(_may_have_number, (converted, *converted["components"]["schemas"].values())))


def _may_have_number(schema: Any) -> bool:
    if not isinstance(schema, dict) or "enum" in schema:
        return schema is not False
    if "$ref" in schema:
        return False  # the components are looked at too
    if "anyOf" in schema:
        return any(map(_may_have_number, schema["anyOf"]))
    types = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", ["number"])
    if not _WITHOUT_NUMBERS.issuperset(types):
        return True
    inner = [*schema.get("properties", {}).values()]
    inner += [schema.get("items", True)] if "array" in types else []
    inner += [schema.get("additionalProperties", True)] if "object" in types else []
    return any(map(_may_have_number, inner))


def _children(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas directly below a schema, and references to those that its discriminator names."""
    yield from schema.get("properties", {}).values()
    for key in _BRANCHES:
        yield from schema.get(key, ())
    yield from (schema[key] for key in _SUBSCHEMAS if isinstance(schema.get(key), dict))
    for reference in schema.get("discriminator", {}).get("mapping", {}).values():
        yield {"$ref": _COMPONENT + _component(reference)}


def _component(reference: str) -> str:
    """The name of a component, of its `$ref` or of a mapping's value."""
    return reference.rpartition("/")[2]


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    if "type" in schema and not schema.keys() & {"$ref", *_BRANCHES, "not"}:
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [{"type": "null"}, schema]}


def _with_format(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with the formats that OpenAPI adds to JSON Schema: ranges of numbers, and base64 (RFC 4648)."""
    if schema.get("format") == "byte":
        return schema | {"format": _BASE64}
    ranges = _RANGES.get(schema.get("format", ""), {})
    limits = {word: limit for word, limit in ranges.items() if _TIGHTER[word](schema.get(word, limit), limit) == limit}
    if all(schema.get(word) == limit for word, limit in limits.items()):
        return schema
    return schema | {"allOf": [*schema.get("allOf", []), limits]}


def _is_base64(text: str) -> bool:
    try:
        return bool(b64decode(text, validate=True)) or not text
    except ValueError:
        return False


FORMATS = {_BASE64: _is_base64}
