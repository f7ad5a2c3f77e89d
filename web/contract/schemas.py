"""JSON Schema validators compiled from the contract's schemas, and their errors as violations."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs

from web.contract import string_arrays
from web.contract.document import lookup
from web.contract.json_schema import FORMATS, Absent, Converter, may_have_numbers
from web.exceptions import Violation

MAX_EXPLAINED = 100
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")


class Validator:
    """One compiled schema of an OpenAPI 3.0 document, for bodies without the properties that `absent` names.

    Formats are checked. Patterns run on a linear-time engine, so no input can make them slow. `may_have_numbers`:
    whether a valid body may have a number.
    """

    def __init__(self, schema: dict[str, Any], document: dict[str, Any], absent: Absent | None = None) -> None:
        converted = Converter(document, absent).root(schema)
        rest, self._arrays = string_arrays.split(converted)
        self._compiled = _compile(converted)
        self._rest = _compile(rest) if self._arrays else self._compiled
        self.may_have_numbers = may_have_numbers(converted)
        self.is_valid: Callable[[Any], bool] = self._is_valid if self._arrays else self._compiled.is_valid
        self._keywords = {"falseSchema": absent}  # only the schema of an absent property is `false`

    def _is_valid(self, value: Any) -> bool:
        rest = value
        for array in self._arrays:
            rest = array.taken_from(rest)
        return bool(self._rest.is_valid(rest) or self._compiled.is_valid(value))

    def violations(self, value: Any, prefix: str = "") -> Iterator[Violation]:
        """The violations of a value without duplicates; `prefix` begins each pointer.

        For longer arrays: the violations in the first 100 items, and the first violation of the complete value. Of more
        than 100 unknown names: the first 100.
        """
        violations = (
            violation
            for error in self._errors(value)
            for violation in _violations(
                _pointer(prefix, error.instance_path),
                self._keywords.get(error.kind.name) or error.kind.name,
                error.kind.value,
            )
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


def _compile(converted: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        converted, validate_formats=True, formats=FORMATS, pattern_options=jsonschema_rs.RegexOptions()
    )


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

    def follow(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema, or the target of its `$ref`."""
        found: dict[str, Any] = lookup(self._document, schema)
        return found

    def get(self, schema: dict[str, Any], absent: Absent | None = None) -> Validator:
        """The validator of a schema of the document."""
        text = f"{absent} {json.dumps(schema)}"
        if text not in self._validators:
            self._validators[text] = Validator(schema, self._document, absent)
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
    "readOnly": "is set by the server and must not be sent",
    "writeOnly": "must not be in a response",
}
