"""Schemas and values compared: which rules a body exercises, and whether a response is like an example."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from web.contract.reading import OperationObject
from web.exceptions import Violation

MAX_ITEMS = 50
# Keywords that no value can break, and those that are counted separately.
_NOT_COUNTED = {
    "description",
    "example",
    "properties",
    "items",
    "default",
    "format",
    "title",
    "$ref",
    "required",
    "nullable",
}


def keywords(operation: OperationObject, schema: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """All rules of a request schema: place and keyword."""
    schema = operation.follow(schema)
    yield from ((place, keyword) for keyword in _rules(schema))
    yield from ((f"{place}/{name}", "required") for name in schema.get("required", []))
    for name, child in schema.get("properties", {}).items():
        yield from keywords(operation, child, f"{place}/{name}")
    if "items" in schema:
        yield from keywords(operation, schema["items"], f"{place}/*")


def reached(operation: OperationObject, schema: Any, value: Any, place: str = "") -> Iterator[tuple[str, str, Any]]:
    """The rules that a body has exercised, with the value that each checks."""
    schema = operation.follow(schema)
    yield from ((place, keyword, value) for keyword in _rules(schema))
    if isinstance(value, dict):
        yield from ((f"{place}/{name}", "required", value) for name in schema.get("required", []))
        for name, child in schema.get("properties", {}).items():
            if name in value:
                yield from reached(operation, child, value[name], f"{place}/{name}")
    elif isinstance(value, list) and "items" in schema:
        for item in value[:MAX_ITEMS]:
            yield from reached(operation, schema["items"], item, f"{place}/*")


def _rules(schema: dict[str, Any]) -> list[str]:
    """The keywords that a value can break, and `nullable`."""
    own = [keyword for keyword in schema if keyword not in _NOT_COUNTED and not keyword.startswith("x-")]
    return [*own, "nullable"] if schema.get("nullable") else own


def schema_place(violation: Violation) -> str:
    """The place of the broken rule in the schema; an unknown field breaks a rule of its object."""
    pointer = violation.pointer
    if violation.code == "additionalProperties":
        pointer = pointer.rpartition("/")[0]
    return re.sub(r"/[0-9]+(?=/|$)", "/*", pointer)


def shape(value: Any) -> Any:
    """The structure of a value: property names, types, and the set of item structures of a list."""
    if isinstance(value, dict):
        return frozenset((name, shape(item)) for name, item in value.items())
    if isinstance(value, list):
        return ("list", frozenset(map(shape, value)))
    return type(value).__name__


def alike(example: Any, response: Any) -> bool:
    """Whether a response is like an example; errors are compared by code and violations."""
    if isinstance(example, dict) and "error" in example:
        expected, actual = example["error"], (response or {}).get("error", {})
        return expected["code"] == actual.get("code") and _violations(expected) <= _violations(actual)
    return _within(example, response)


def _within(example: Any, response: Any) -> bool:
    """Whether a response has everything in an example, with the same types."""
    if isinstance(example, dict) and isinstance(response, dict):
        return all(name in response and _within(value, response[name]) for name, value in example.items())
    if isinstance(example, list) and isinstance(response, list):
        return bool(response) == bool(example) and all(any(_within(one, item) for item in response) for one in example)
    return type(example) is type(response)


def _violations(error: dict[str, Any]) -> set[tuple[str, ...]]:
    listed = error.get("details", {}).get("errors", [])
    return {(one["pointer"], one["code"], one["message"]) for one in listed}


def parsed(text: bytes, form: str) -> Any:
    """The value of a `json` or `yaml` text; None if it is invalid."""
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader) if form == "yaml" else json.loads(text)
    except (ValueError, RecursionError, yaml.YAMLError):
        return None
