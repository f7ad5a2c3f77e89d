"""Strict JSON parser: RFC 8259 within the limits of I-JSON (RFC 7493).

Decision 12.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from web.exceptions import MalformedRequest

MAX_DEPTH = 32
MAX_DIGITS = 19
MAX_PARTS = 10_000
_NAME = re.compile(rb'"[ \t\n\r]*:')
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_BEYOND_64_BITS = b"0" * 19  # 19 digits or more may exceed 64 bits, and orjson would round the integer
# A string, with its colon if it is a name; a bracket; a run of more than MAX_DIGITS digits.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"([ \t\n\r]*:)?|[\[{]|[\]}]|[0-9]{%d}' % (MAX_DIGITS + 1))
_DEEPER = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


def parse(raw: bytes) -> Any:
    """The value of a JSON text.

    Raises MalformedRequest for a text that is not UTF-8 or not JSON (RFC 8259 sections 2 and 8.1), NaN and infinities,
    unpaired surrogates (8.2), names that occur twice in one object (RFC 7493 section 2.3), nesting deeper than 32
    levels, more than 10,000 objects, arrays and names in total, and numbers with more than 19 digits in a row (RFC 8259
    section 9 lets a parser set such limits).
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest("The body is not JSON in UTF-8", position=error.pos) from None
    return value if _passes_quick_checks(raw, value) else _parse_exactly(raw)


def _passes_quick_checks(raw: bytes, value: Any) -> bool:
    """Whether quick checks already rule out duplicate names, deep nesting, long numbers and too many parts."""
    names = len(value) if isinstance(value, dict) else 0
    return (
        names <= MAX_PARTS - MAX_DEPTH
        and (_at_most(names, b":", raw) or len(_NAME.findall(raw)) == names)
        and _at_most(MAX_DEPTH // 2, b"{", raw)
        and _at_most(MAX_DEPTH // 2, b"[", raw)
        and _BEYOND_64_BITS not in raw.translate(_ZEROS)
    )


def _at_most(limit: int, char: bytes, raw: bytes) -> bool:
    """Whether `char` occurs at most `limit` times; `find` skips long texts faster than `count` reads them."""
    index = raw.find(char)
    while index >= 0 and limit:
        index, limit = raw.find(char, index + 1), limit - 1
    return index < 0


def _parse_exactly(raw: bytes) -> Any:
    depth = parts = 0
    for token in _TOKEN.finditer(raw):
        if token[0][:1].isdigit():
            raise MalformedRequest(f"A number of the body has more than {MAX_DIGITS} digits in a row")
        step = _DEEPER.get(token[0], 0)
        depth += step
        parts += step == 1 or token[1] is not None
        if depth > MAX_DEPTH:
            raise MalformedRequest(f"The body is nested deeper than {MAX_DEPTH} levels")
        if parts > MAX_PARTS:
            raise MalformedRequest(f"The body has more than {MAX_PARTS} objects, arrays and names")
    return json.loads(raw, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedRequest("A name occurs twice in one object of the body")
    return value
