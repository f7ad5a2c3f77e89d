"""Query and header parameters: parsed from the raw text and checked against their schemas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

from web.contract.schemas import ValidatorCache
from web.exceptions import MalformedRequest, Violation

MAX_PARAMETERS = 64
_INTEGER = re.compile("0|-?[1-9][0-9]{0,18}")
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_BOOLEANS = {"true": True, "false": False}


class Parameter:
    """One declared parameter: its argument name, default and validator."""

    def __init__(self, node: dict[str, Any], schema: dict[str, Any], validators: ValidatorCache) -> None:
        self.name: str = node["name"]
        self.pointer = f"{node['in']}/{node['name']}"
        self.argument = argument_name(node["name"])
        self.required: bool = node.get("required", False)
        self.type: str = schema.get("type", "string")
        self.default = schema.get("default")
        self.validator = validators.get(schema)

    def read(self, text: str | None, violations: list[Violation]) -> Any:
        """The value of the raw text; its violations are appended to `violations`."""
        if text is None:
            if self.required:
                violations.append(Violation(self.pointer, "required", "is required"))
            return self.default
        value = self._value(text)
        if value is None:
            violations.append(Violation(self.pointer, "type", f"must be of type {self.type}"))
        elif not self.validator.is_valid(value):
            violations.extend(self.validator.violations(value, self.pointer))
        return value

    def _value(self, text: str) -> Any:
        if self.type == "integer":
            return int(text) if _INTEGER.fullmatch(text) else None
        return _BOOLEANS.get(text) if self.type == "boolean" else text


def argument_name(name: str) -> str:
    """The name of the handler's argument for a parameter: lower case, `_` instead of `-`."""
    return name.lower().replace("-", "_")


def parse_query(query: bytes) -> Iterator[tuple[str, str]]:
    """Names and values of a query string. Raises MalformedRequest unless it is percent-encoded UTF-8 in ASCII."""
    if not query:
        return
    fields = query.split(b"&")
    if len(fields) > MAX_PARAMETERS:
        raise MalformedRequest(f"The query has more than {MAX_PARAMETERS} parameters")
    for field in filter(None, fields):
        name, _, value = field.partition(b"=")
        yield _text(name), _text(value)


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("ascii")
        if _BAD_ESCAPE.search(text):
            raise MalformedRequest("The query contains an invalid percent-encoding")
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise MalformedRequest("The query is not percent-encoded UTF-8") from None
