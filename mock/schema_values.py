"""Random values of the schemas of an OpenAPI document; a caller checks them, because not every keyword is heeded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from rstr import Rstr

from web.contract.document import lookup

MAX_ITEMS, MAX_DEPTH = 4, 8
NULL_SHARE = 0.2
# The width of the range of a number without a maximum.
RANGE = 1000
_DAY = datetime(2026, 6, 28, tzinfo=UTC)
_WORDS = (
    "amber",
    "felt",
    "glass",
    "harbour",
    "lantern",
    "margin",
    "morning",
    "paper",
    "quiet",
    "river",
    "slow",
    "window",
)
_Schema = dict[str, Any]


class SchemaValues:
    """Draws values from one random stream."""

    def __init__(self, document: dict[str, Any], draw: Random) -> None:
        self._document = document
        self._draw = draw
        self._by_type: dict[str, Callable[[_Schema, int], Any]] = {
            "object": self._object,
            "array": self._array,
            "integer": lambda schema, _: self._draw.randint(*self._range(schema)),
            "number": lambda schema, _: round(self._draw.uniform(*self._range(schema)), 3),
            "boolean": lambda *_: self._draw.random() < 0.5,
            "string": lambda schema, _: self._text(schema),
        }

    def value(self, schema: _Schema, depth: int = 0) -> Any:
        """A value of the schema; of the alternatives in `oneOf` and `anyOf` it takes one."""
        schema = lookup(self._document, schema)
        if schema.get("nullable") and (depth > MAX_DEPTH or self._draw.random() < NULL_SHARE):
            return None
        if "enum" in schema:
            return self._draw.choice(schema["enum"])
        if "allOf" in schema:
            parts = [self.value(part, depth) for part in schema["allOf"]]
            objects = [part for part in parts if isinstance(part, dict)]
            return {name: value for part in objects for name, value in part.items()} if objects else parts[0]
        alternatives = schema.get("oneOf") or schema.get("anyOf")
        if alternatives:
            return self.value(self._draw.choice(alternatives), depth)
        return self._by_type[schema.get("type", "object")](schema, depth)

    def _object(self, schema: _Schema, depth: int) -> dict[str, Any]:
        made = {name: self.value(child, depth + 1) for name, child in schema.get("properties", {}).items()}
        more = schema.get("additionalProperties")
        if isinstance(more, dict) and more:
            names = self._draw.sample(_WORDS, self._draw.randint(0, MAX_ITEMS))
            made |= {name: self.value(more, depth + 1) for name in names}
        return made

    def _array(self, schema: _Schema, depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        most = min(schema.get("maxItems", least + MAX_ITEMS), least + MAX_ITEMS) if depth <= MAX_DEPTH else least
        return [
            self.value(schema["items"], depth + 1) for _ in range(self._draw.randint(max(least, min(1, most)), most))
        ]

    def _range(self, schema: _Schema) -> tuple[int, int]:
        least = schema.get("minimum", 0)
        return least, min(schema.get("maximum", least + RANGE), least + RANGE)

    def _text(self, schema: _Schema) -> str:
        """The first of the candidates, from readable to arbitrary, that has the form of the schema."""
        pattern, longest = schema.get("pattern", ""), schema.get("maxLength", 100)
        fitting = (text for text in self._candidates(schema) if len(text) <= longest and re.search(pattern, text))
        return next(fitting, str(schema.get("example", "")))

    def _candidates(self, schema: _Schema) -> Iterator[str]:
        if schema.get("format") in ("date", "date-time"):
            moment = _DAY + timedelta(seconds=self._draw.randrange(30 * 86400))
            yield moment.strftime("%Y-%m-%dT%H:%M:%SZ" if schema["format"] == "date-time" else "%Y-%m-%d")
        yield " ".join(self._draw.sample(_WORDS, 3)).capitalize()
        yield self._draw.choice(_WORDS)
        yield f"https://music.example/{self._draw.getrandbits(48):012x}"
        if "pattern" in schema:
            yield Rstr(self._draw).xeger(schema["pattern"])
