"""Fields of the pages: parameters and properties with their type, limits and values, read from schemas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from web.contract.document import lookup

MAX_DEPTH = 3
MAX_PATTERN = 48
_COMPOSED = ("oneOf", "anyOf", "allOf")
# The two ends of a range with its unit; for numbers there is none.
_RANGES = (
    ("minimum", "maximum", ""), ("minLength", "maxLength", "character"), ("minItems", "maxItems", "item"),
    ("minProperties", "maxProperties", "field"),
)  # fmt: skip


class Field(NamedTuple):
    """A parameter or property. `facts` are its limits, format and default in words, `values` those of its enum.

    `anchor` is its place on the page; `schema` is the name of the component that it, or each of its items, is, and
    empty without one; `children` are the properties of an object without a name.
    """

    name: str
    type: str
    required: bool
    description: str
    facts: list[str]
    values: list[Any]
    anchor: str
    schema: str
    children: list[Field]

    def all(self) -> Iterator[Field]:
        """This field and all below it."""
        yield self
        for child in self.children:
            yield from child.all()


class FieldReader:
    """Reads the fields of one contract; `pages` are the names of the schemas that have a page of their own."""

    def __init__(self, document: dict[str, Any], pages: frozenset[str] = frozenset()) -> None:
        self._document = document
        self._pages = pages

    def parameter(self, node: dict[str, Any]) -> Field:
        """The field of a Parameter or Header Object with a name and a place."""
        schema = node.get("schema", {})
        anchor = f"{node['in']}.{_anchor(node['name'])}"
        return self._field(node["name"], schema, node.get("required", False), anchor, 0, node.get("description", ""))

    def body(self, schema: dict[str, Any]) -> list[Field]:
        """The properties of a body; a body without properties is one field, named `body`."""
        return self.properties(schema, "body") or [self._field("body", schema, True, "body", 0)]

    def properties(self, node: dict[str, Any], anchor: str, depth: int = 0) -> list[Field]:
        """The properties of a schema, and of the schemas that it combines with `allOf`."""
        schema = lookup(self._document, node)
        inherited = [field for part in schema.get("allOf", []) for field in self.properties(part, anchor, depth)]
        own = [
            self._field(name, child, name in schema.get("required", []), f"{anchor}.{_anchor(name)}", depth)
            for name, child in schema.get("properties", {}).items()
        ]
        return [*inherited, *own]

    def type(self, node: dict[str, Any], depth: int = 0) -> str:
        """The type of a schema in words, such as `array of string or null`."""
        schema = lookup(self._document, node)
        parts: list[Any] = next((schema[word] for word in _COMPOSED if schema.get(word)), [])
        if depth < MAX_DEPTH and schema.get("type") == "array":
            name = f"array of {self.type(schema.get('items', {}), depth + 1)}"
        elif depth < MAX_DEPTH and "type" not in schema and parts:
            name = " or ".join(dict.fromkeys(self.type(part, depth + 1) for part in parts))
        else:
            name = schema.get("type", "any")
        return f"{name} or null" if schema.get("nullable") else name

    def _field(
        self, name: str, node: dict[str, Any], required: bool, anchor: str, depth: int, description: str = ""
    ) -> Field:
        schema = lookup(self._document, node)
        described = (description or schema.get("description", "")).strip()
        named, held = self._held(node)
        is_linked = named in self._pages
        below = [] if is_linked or depth == MAX_DEPTH else self.properties(held, anchor, depth + 1)
        return Field(
            name, self.type(schema), required, described, list(_facts(schema)), self._values(schema),
            anchor, named if is_linked else "", below,
        )  # fmt: skip

    def _held(self, node: dict[str, Any], depth: int = 0) -> tuple[str, dict[str, Any]]:
        """The name and the schema of what a value consists of: of the items of an array, or of the value."""
        named = node.get("$ref", "").rpartition("/")[2]
        schema = lookup(self._document, node)
        if depth < MAX_DEPTH and schema.get("type") == "array":
            return self._held(schema.get("items", {}), depth + 1)
        return named, schema

    def _values(self, schema: dict[str, Any]) -> list[Any]:
        values: list[Any] = schema.get("enum") or lookup(self._document, schema.get("items", {})).get("enum", [])
        return [value for value in values if value is not None]


def _anchor(name: str) -> str:
    """A name as a fragment can have it (RFC 3986 section 3.5)."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)


def _facts(schema: dict[str, Any]) -> Iterator[str]:
    """Limits, format and default of a value, each as a few words."""
    if "format" in schema:
        yield f"format `{schema['format']}`"
    for low, high, unit in _RANGES:
        yield from _range(schema, low, high, unit)
    if len(schema.get("pattern", "")) in range(1, MAX_PATTERN):
        yield f"pattern `{schema['pattern']}`"
    if "multipleOf" in schema:
        yield f"a multiple of {schema['multipleOf']}"
    if schema.get("uniqueItems"):
        yield "each item once"
    if "default" in schema:
        yield f"default `{schema['default']}`"
    yield from (word for key, word in (("deprecated", "deprecated"), ("readOnly", "read only")) if schema.get(key))


def _range(schema: dict[str, Any], low: str, high: str, unit: str) -> Iterator[str]:
    least, most = schema.get(low), schema.get(high)
    if unit and not least:  # no length is below 0
        least = None
    words = f" {unit}" + ("" if (most or least) == 1 else "s") if unit else ""
    if least == most is not None:
        yield f"exactly {most:,}{words}"
    elif least is not None and most is not None:
        yield f"{least:,} to {most:,}{words}"
    elif least is not None:
        yield f"at least {least:,}{words}"
    elif most is not None:
        yield f"at most {most:,}{words}"
