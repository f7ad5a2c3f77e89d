"""JSON Schema validators compiled from the contract's schemas, and their errors as violations."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs

from web.contract import objects
from web.exceptions import Violation

MAX_EXPLAINED = 100
_COMPONENT = "#/components/schemas/"
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
_DROPPED = ("example", "nullable", "xml", "externalDocs", "discriminator", "deprecated", "description", "title")
_BASE64 = "base64 text"  # as the sentence of the violation says it
_RANGES: dict[str, dict[str, float]] = {
    "int32": {"minimum": -(2**31), "maximum": 2**31 - 1},
    "int64": {"minimum": -(2**63), "maximum": 2**63 - 1},
    "float": {"minimum": -(2 - 2**-23) * 2.0**127, "maximum": (2 - 2**-23) * 2.0**127},
}
_TIGHTER: dict[str, Callable[[float, float], float]] = {"minimum": max, "maximum": min}
_DRAFT_4 = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}


class Validator:
    """One compiled schema of an OpenAPI 3.0 document.

    Formats are checked. Patterns run on a linear-time engine, so no input can make them slow.
    """

    def __init__(self, schema: dict[str, Any], document: dict[str, Any]) -> None:
        named = document.get("components", {}).get("schemas", {})
        needed = {name: _json_schema(named[name]) for name in _names(schema, named)}
        root = _json_schema(schema) | {"components": {"schemas": needed}}
        self._compiled = jsonschema_rs.Draft202012Validator(
            root, validate_formats=True, formats={_BASE64: _is_base64}, pattern_options=jsonschema_rs.RegexOptions()
        )
        self.is_valid: Callable[[Any], bool] = self._compiled.is_valid

    def violations(self, value: Any, prefix: str = "") -> Iterator[Violation]:
        """The violations of a value without duplicates; `prefix` begins each pointer.

        For longer arrays: the violations in the first 100 items, and the first violation of the complete value. Of more
        than 100 unknown names: the first 100.
        """
        violations = (
            violation
            for error in self._errors(value)
            for violation in _violations(_pointer(prefix, error.instance_path), error.kind.name, error.kind.value)
        )
        return iter(dict.fromkeys(violations))

    def _errors(self, value: Any) -> Iterator[jsonschema_rs.ValidationError]:
        # The engine collects all errors before it returns the first, and a client reads only a few of 10,000.
        part = _truncate(value, MAX_EXPLAINED)
        if part != value:
            try:
                self._compiled.validate(value)
            except jsonschema_rs.ValidationError as first:
                yield first
        yield from self._compiled.iter_errors(part)


def _pointer(prefix: str, path: list[str | int]) -> str:
    return prefix + "".join("/" + _escaped(part) for part in path)


def _violations(pointer: str, keyword: str, limit: Any) -> Iterator[Violation]:
    if keyword == "additionalProperties":
        sentence = _sentence(keyword, None)
        yield from (Violation(f"{pointer}/{_escaped(name)}", keyword, sentence) for name in limit[:MAX_EXPLAINED])
    else:
        at = f"{pointer}/{_escaped(limit)}" if keyword == "required" else pointer
        yield Violation(at, keyword, _sentence(keyword, limit))


def _truncate(value: Any, max_items: int) -> Any:
    if isinstance(value, dict):
        return {name: _truncate(item, max_items) for name, item in value.items()}
    return [_truncate(item, max_items) for item in value[:max_items]] if isinstance(value, list) else value


class ValidatorCache:
    """The validators of one document; equal schemas, such as those of most error responses, share one."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._validators: dict[str, Validator] = {}

    def get(self, schema: dict[str, Any]) -> Validator:
        """The validator of a schema of the document."""
        text = json.dumps(schema)
        if text not in self._validators:
            self._validators[text] = Validator(schema, self._document)
        return self._validators[text]


def sanitize(name: str) -> str:
    """A name from the request, safe to repeat in a response: at most 64 characters, no control characters."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", name[:64])


def _escaped(part: str | int) -> str:
    return sanitize(str(part)).replace("~", "~0").replace("/", "~1")


def _sentence(keyword: str, limit: Any) -> str:
    return _SENTENCES.get(keyword, "breaks the rule `{keyword}`").format(limit=_words(limit), keyword=keyword)


def _words(limit: Any) -> str:
    return " or ".join(map(str, limit)) if isinstance(limit, list) else str(limit)


_SENTENCES = {
    "type": "must be of type {limit}",
    "required": "is required",
    "additionalProperties": "is not a known field",
    "minLength": "must have at least {limit} characters",
    "maxLength": "must have at most {limit} characters",
    "pattern": "has a form that is not allowed; the contract states the pattern",
    "format": "must be a {limit}",
    "minimum": "must be at least {limit}",
    "maximum": "must be at most {limit}",
    "exclusiveMinimum": "must be greater than {limit}",
    "exclusiveMaximum": "must be less than {limit}",
    "multipleOf": "must be a multiple of {limit}",
    "minItems": "must have at least {limit} items",
    "maxItems": "must have at most {limit} items",
    "uniqueItems": "must not hold the same item twice",
    "minProperties": "must have at least {limit} fields",
    "maxProperties": "must have at most {limit} fields",
    "enum": "must be one of {limit}",
}


def _names(schema: Any, named: dict[str, Any], kind: str = "Schema") -> frozenset[str]:
    """The names of the components that a schema refers to, directly or through other components."""
    names: set[str] = set()
    pending = [(kind, schema)]
    while pending:
        kind, schema = pending.pop()
        if not objects.is_reference(kind, schema):
            pending += [(held, child) for _, held, child in objects.members(kind, schema)]
        elif (name := schema["$ref"].removeprefix(_COMPONENT)) not in names:
            names.add(name)
            pending.append(("Schema", named[name]))
    return frozenset(names)


def _json_schema(schema: Any) -> Any:
    """An OpenAPI 3.0 Schema Object converted to JSON Schema 2020-12: nullable, exclusive bounds, formats of numbers."""
    if not isinstance(schema, dict) or "$ref" in schema:
        return schema
    kept = {key: value for key, value in schema.items() if key not in _DROPPED and not key.startswith("x-")}
    out = {key: _converted(objects.child("Schema", key), value) for key, value in kept.items()}
    for bound, exclusive in _DRAFT_4.items():
        if out.pop(exclusive, False) is True:
            out[exclusive] = out.pop(bound)
    if schema.get("nullable"):
        out["type"] = [schema["type"], "null"]
    return _with_format(out)


def _converted(kind: str | None, value: Any) -> Any:
    if kind is None:
        return value
    if isinstance(value, list):
        return [_json_schema(item) for item in value]
    return {name: _json_schema(child) for name, child in value.items()} if kind.startswith("{") else _json_schema(value)


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
