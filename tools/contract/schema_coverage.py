"""Schemas and values side by side: which rules a body meets, and what an answer has in common with an example."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from web.contract.reading import OperationObject
from web.exceptions import Violation

MAX_ITEMS = 50
# Keywords that say nothing which a value could break, and those that are counted by name.
_SILENT = {
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
    """Every rule of a request schema: where it holds, and its keyword."""
    schema = operation.follow(schema)
    yield from ((place, keyword) for keyword in _rules(schema))
    yield from ((f"{place}/{name}", "required") for name in schema.get("required", []))
    for name, child in schema.get("properties", {}).items():
        yield from keywords(operation, child, f"{place}/{name}")
    if "items" in schema:
        yield from keywords(operation, schema["items"], f"{place}/*")


def reached(operation: OperationObject, schema: Any, value: Any, place: str = "") -> Iterator[tuple[str, str, Any]]:
    """The rules that a body has met, with the value that each looks at."""
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
    """The keywords that a value can break, and `nullable`, which it can use."""
    own = [keyword for keyword in schema if keyword not in _SILENT and not keyword.startswith("x-")]
    return [*own, "nullable"] if schema.get("nullable") else own


def place_of(violation: Violation) -> str:
    """Where the schema has the rule: an unknown field breaks one of the object that it is in."""
    pointer = violation.pointer
    if violation.code == "additionalProperties":
        pointer = pointer.rpartition("/")[0]
    return re.sub(r"/[0-9]+(?=/|$)", "/*", pointer)


def shape(value: Any) -> Any:
    """A value without what varies, to be compared: names and types stay, and of a list what kinds of items it has."""
    if isinstance(value, dict):
        return frozenset((name, shape(item)) for name, item in value.items())
    if isinstance(value, list):
        return ("list", frozenset(map(shape, value)))
    return type(value).__name__


def alike(example: Any, answer: Any) -> bool:
    """Whether an answer is one of the kind that an example shows: an error by its code and what it complains of."""
    if isinstance(example, dict) and "error" in example:
        shown, found = example["error"], (answer or {}).get("error", {})
        return shown["code"] == found.get("code") and _complaints(shown) <= _complaints(found)
    return _within(example, answer)


def _within(example: Any, answer: Any) -> bool:
    """Whether all that an example shows is in an answer, with the same types."""
    if isinstance(example, dict) and isinstance(answer, dict):
        return all(name in answer and _within(value, answer[name]) for name, value in example.items())
    if isinstance(example, list) and isinstance(answer, list):
        return bool(answer) == bool(example) and all(any(_within(one, item) for item in answer) for one in example)
    return type(example) is type(answer)


def _complaints(error: dict[str, Any]) -> set[tuple[str, ...]]:
    listed = error.get("details", {}).get("errors", [])
    return {(one["pointer"], one["code"], one["message"]) for one in listed}


def parsed(text: bytes, form: str) -> Any:
    """The value of a text in the form `json` or `yaml`; None for what is not in it."""
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader) if form == "yaml" else json.loads(text)
    except (ValueError, RecursionError, yaml.YAMLError):
        return None
