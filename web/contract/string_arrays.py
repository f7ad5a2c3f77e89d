"""Arrays of ids: literals and characters of one class, of a fixed length. All strings are checked in one pass.

Such an array never reaches the validator, which would copy each string. Decision 94.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, NamedTuple

Schema = dict[str, Any]

_PART = re.compile(
    r"\[(?P<members>(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9_])+)\](?:\{(?P<count>[0-9]+)\})?|(?P<literal>[A-Za-z0-9_])"
)


class StringArray(NamedTuple):
    """The array in the property `name` of a body.

    `table` maps every character of the class to one of them, which stands in the `line`. The `literals` that are
    themselves characters of the class are compared at their places.
    """

    name: str
    line: bytes
    table: bytes
    literals: Mapping[int, bytes]
    most: float
    is_unique: bool

    def taken_from(self, body: Any) -> Any:
        """The body with an empty array in the place of a valid one."""
        strings = body.get(self.name) if isinstance(body, dict) else None
        return body | {self.name: []} if isinstance(strings, list) and self._is_valid(strings) else body

    def _is_valid(self, strings: list[Any]) -> bool:
        count, width = len(strings), len(self.line)
        try:
            lines = "\n".join([*strings, ""]).encode()
        except (TypeError, UnicodeEncodeError):
            return False
        return (
            count <= self.most
            and lines.translate(self.table) == self.line * count
            and all(lines[place::width] == literal * count for place, literal in self.literals.items())
            and (not self.is_unique or len(set(strings)) == count)
        )


def split(schema: Schema) -> tuple[Schema, list[StringArray]]:
    """Such arrays of a converted schema, and the schema of the bodies from which valid ones are taken."""
    components = schema["components"]["schemas"]
    root = _follow(components, schema)
    properties = dict(root.get("properties", {})) if root.get("type") == "object" else {}
    arrays = []
    for name, child in properties.items():
        node = _follow(components, child)
        if (found := _string_array(name, node, _follow(components, node.get("items")))) is not None:
            properties[name] = {"type": "array", "maxItems": 0}
            arrays.append(found)
    return root | {"properties": properties, "components": schema["components"]}, arrays


def _follow(components: Mapping[str, Any], node: Any) -> Schema:
    while isinstance(node, dict) and "$ref" in node:
        node = components[node["$ref"].rpartition("/")[2]]
    return node if isinstance(node, dict) else {}


def _string_array(name: str, node: Schema, items: Schema) -> StringArray | None:
    """The array of such items; None if it or they have other rules too."""
    if node.get("type") != "array" or not node.keys() <= {"type", "items", "maxItems", "uniqueItems"}:
        return None
    parts = list(_parts(items.get("pattern", "")))
    classes = [*{part["members"] for part in parts} - {None}]
    length = sum(int(part["count"] or 1) for part in parts)
    is_implied = items.get("minLength", 0) <= length <= items.get("maxLength", length)
    if len(classes) != 1 or not is_implied or not items.keys() <= {"type", "pattern", "minLength", "maxLength"}:
        return None
    members = [byte for byte in range(128) if re.fullmatch(f"[{classes[0]}]", chr(byte))]
    table = bytes(members[0] if byte in members else byte for byte in range(256))
    text = "".join(part["literal"] or "\0" * int(part["count"] or 1) for part in parts).encode()
    literals = {place: bytes((byte,)) for place, byte in enumerate(text) if byte in members}
    line = text.replace(b"\0", bytes(members[:1])).translate(table) + b"\n"
    return StringArray(name, line, table, literals, node.get("maxItems", inf), node.get("uniqueItems", False))


def _parts(pattern: str) -> Iterator[re.Match[str]]:
    """The literals and classes of an anchored pattern; none if it has anything else."""
    if re.fullmatch(rf"\^(?:{_PART.pattern.replace('?P<', '?P<_')})+\$", pattern):
        yield from _PART.finditer(pattern, 1, len(pattern) - 1)
