"""What is legal JSON here: RFC 8259 read strictly, within the bounds of I-JSON (RFC 7493)."""

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
_BEYOND_64_BITS = b"0" * 19  # perhaps: where a whole number would come back rounded
# A text, with the colon behind it if it is a name; a bracket; digits without end.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"([ \t\n\r]*:)?|[\[{]|[\]}]|[0-9]{%d}' % (MAX_DIGITS + 1))
_DEEPER = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


def parse(raw: bytes) -> Any:
    """The value of a JSON text.

    Raises MalformedRequest for what is not UTF-8 or not JSON (section 2 and 8.1), for NaN and infinities, unpaired
    surrogates (8.2), names that occur twice in one object (RFC 7493 section 2.3), nesting deeper than 32, more than
    10,000 objects, arrays and names in all, and numbers with more than 19 digits in a row (RFC 8259 section 9 lets a
    parser set such limits).
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest("The body is not JSON in UTF-8", position=error.pos) from None
    return value if _surely_plain(raw, value) else _exact(raw)


def _surely_plain(raw: bytes, value: Any) -> bool:
    """Whether a cheap look already rules out doubled names, deep nesting, long numbers and too many parts."""
    names = len(value) if isinstance(value, dict) else 0
    return (
        names <= MAX_PARTS - MAX_DEPTH
        and (_at_most(names, b":", raw) or len(_NAME.findall(raw)) == names)
        and _at_most(MAX_DEPTH // 2, b"{", raw)
        and _at_most(MAX_DEPTH // 2, b"[", raw)
        and _BEYOND_64_BITS not in raw.translate(_ZEROS)
    )


def _at_most(most: int, sign: bytes, raw: bytes) -> bool:
    """Whether a sign occurs no oftener: a search for it skips long texts, where a count looks at every byte."""
    place = raw.find(sign)
    while place >= 0 and most:
        place, most = raw.find(sign, place + 1), most - 1
    return place < 0


def _exact(raw: bytes) -> Any:
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
