"""Query, header and path parameters: parsed from the raw text and checked against their schemas."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote_plus

from web.contract.schemas import ValidatorCache
from web.exceptions import MalformedRequest, Violation

MAX_PARAMETERS = 64
_INTEGER = re.compile("0|-?[1-9][0-9]{0,18}")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,19})?(?:[eE][+-]?[0-9]{1,3})?")
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_BOOLEANS = {"true": True, "false": False}
_JSON_TYPES: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
_BRANCHES = ("allOf", "anyOf", "oneOf")
# What a text in a path is checked for; of another form it identifies nothing anyway, and is looked up. Decision 11.
_CONSTRAINTS = frozenset((*_BRANCHES, "enum", "not"))


class Parameter:
    """One declared parameter: its argument name, default and validator.

    The items of an array are separate fields of the query (`is_exploded`), or separated by commas. `is_text`: a text
    without alternatives, which is looked up if it is in a path. Raises ValueError for a schema whose values have no
    form in a parameter.
    """

    def __init__(self, node: dict[str, Any], validators: ValidatorCache) -> None:
        schema = node["schema"]
        kinds = types(schema, validators)
        self.name: str = node["name"]
        self.pointer = f"{node['in']}/{node['name']}"
        self.argument = argument_name(node["name"])
        self.required: bool = node.get("required", False)
        self.default = schema.get("default")
        self.validator = validators.get(schema)
        self.is_array = kinds == ["array"]
        self.is_exploded = node["in"] == "query" and node.get("explode", True)
        self.is_text = kinds == ["string"] and _CONSTRAINTS.isdisjoint(validators.follow(schema))
        self._types = types(schema.get("items", {}), validators) if self.is_array else kinds
        if not _CONVERTERS.keys() >= set(self._types):
            raise ValueError(f"The parameter {self.pointer} is an object, or holds an array: use plain values.")

    def read(self, texts: Sequence[str] | None, violations: list[Violation]) -> Any:
        """The value of the raw texts, one unless the parameter is an array; violations are appended to `violations`."""
        if texts is None:
            if self.required:
                violations.append(Violation(self.pointer, "required", "is required"))
            return self.default
        if self.is_array:
            return self._checked([self._value(text) for text in texts], violations)
        if len(texts) > 1:
            violations.append(Violation(self.pointer, "maxItems", "must be given once at most"))
        return self._checked(self._value(texts[-1]), violations)

    def split(self, line: str) -> list[str]:
        """The texts in one line of a header field: the items of an array, which commas separate, or the line."""
        return [item.strip() for item in line.split(",")] if self.is_array else [line]

    def _value(self, text: str) -> Any:
        """The text as the first of the types that it has the form of, or None."""
        for kind in self._types:
            value = _CONVERTERS[kind](text)
            if value is not None:
                return value
        return None

    def _checked(self, value: Any, violations: list[Violation]) -> Any:
        values = value if self.is_array else [value]
        if None in values:
            violations.append(Violation(self.pointer, "type", f"must be of type {' or '.join(self._types)}"))
        elif not self.validator.is_valid(value):
            violations.extend(self.validator.violations(value, self.pointer))
        return value


def argument_name(name: str) -> str:
    """The name of the handler's argument for a parameter: `If-Match` is `if_match`."""
    return name.lower().replace("-", "_")


def types(schema: dict[str, Any], validators: ValidatorCache) -> list[str]:
    """The types of a schema, its branches included, narrowest first; `string` if there is none."""
    found = set(_declared_types(schema, validators))
    return [kind for kind in ("array", "object", *_CONVERTERS) if kind in found] or ["string"]


def _declared_types(schema: dict[str, Any], validators: ValidatorCache) -> Iterator[str]:
    schema = validators.follow(schema)
    if "type" in schema:
        yield schema["type"]
    elif "enum" in schema:
        yield from (_JSON_TYPES[type(value)] for value in schema["enum"] if type(value) in _JSON_TYPES)
    for branch in (branch for key in _BRANCHES for branch in schema.get(key, ())):
        yield from _declared_types(branch, validators)


def _number(text: str) -> float | None:
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


# Narrowest first: where a schema allows several types, `5` is an integer.
_CONVERTERS: dict[str, Callable[[str], Any]] = {
    "boolean": _BOOLEANS.get,
    "integer": lambda text: int(text) if _INTEGER.fullmatch(text) else None,
    "number": _number,
    "string": str,
}


def parse_query(query: bytes) -> Iterator[tuple[str, str]]:
    """Names and values of a query string. Raises MalformedRequest unless it is percent-encoded UTF-8 in ASCII."""
    return ((name, decode(value)) for name, value in split_query(query))


def split_query(query: bytes) -> Iterator[tuple[str, bytes]]:
    """Names, decoded, and raw values of a query string. Raises MalformedRequest as `parse_query` does."""
    if not query:
        return
    fields = query.split(b"&")
    if len(fields) > MAX_PARAMETERS:
        raise MalformedRequest(f"The query has more than {MAX_PARAMETERS} parameters")
    for field in filter(None, fields):
        name, _, value = field.partition(b"=")
        yield decode(name), value


def decode(raw: bytes) -> str:
    """A name or a value of a query string, decoded. Raises MalformedRequest."""
    try:
        text = raw.decode("ascii")
        if _BAD_ESCAPE.search(text):
            raise MalformedRequest("The query contains an invalid percent-encoding")
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise MalformedRequest("The query is not percent-encoded UTF-8") from None
