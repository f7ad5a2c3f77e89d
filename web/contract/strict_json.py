"""Strict JSON parser: RFC 8259 within the limits of I-JSON (RFC 7493).

Decision 12.
"""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Any

import orjson

from web.exceptions import MalformedRequest

MAX_DEPTH = 32
MAX_DIGITS = 19
MAX_PARTS = 10_000
MAX_VALUES = 50_000  # more than 1 MiB has of the ids that a body may list
_MARK = b"\xff"  # is in no UTF-8
_NO_STRUCTURE = bytes(set(range(256)) - set(b'[]{}:,"'))
_NO_MARK = bytes(set(range(256)) - set(_MARK + b'"'))
# Between two strings is at least one byte of the structure, so a text with more quotes breaks one of the limits.
_MAX_QUOTES = 4 * MAX_PARTS + 2 * MAX_VALUES + 2
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_BEYOND_64_BITS = b"0" * 19  # 19 digits or more may exceed 64 bits, and orjson would round the integer
_TOO_LONG = b"0" * (MAX_DIGITS + 1)


def parse(raw: bytes, *, has_numbers: bool = True) -> Any:
    """The value of a JSON text. Long numbers are looked for only if it may have numbers.

    Raises MalformedRequest for a text that is not UTF-8 or not JSON (RFC 8259 sections 2 and 8.1), NaN and infinities,
    unpaired surrogates (8.2), names that occur twice in one object (RFC 7493 section 2.3), nesting deeper than 32
    levels, more than 10,000 objects, arrays and names in total, more than 50,000 values, and numbers with more than 19
    digits in a row (RFC 8259 section 9 lets a parser set such limits).

    The limits are checked before the text is parsed, in a few passes of bytes methods, so that no text costs more than
    its length.
    """
    value = _parse_flat(raw)
    if value is None:
        structure = _structure(raw)
        _require_limits(structure)
        value = _loads(raw)
        if _loses_names(structure, value):
            raise MalformedRequest("A name occurs twice in one object of the body")
    if not has_numbers or _BEYOND_64_BITS not in raw.translate(_ZEROS):
        return value
    if _has_long_number(raw):
        raise MalformedRequest(f"A number of the body has more than {MAX_DIGITS} digits in a row")
    return json.loads(raw)


def _parse_flat(raw: bytes) -> dict[str, Any] | None:
    """The value, if a look at all bytes shows that it keeps the limits and has no name twice: one object with lists.

    Brackets and colons in strings count too, so the text has no more than are counted. If it has as many colons as the
    object has names, no colon is left for another object or a second occurrence of a name. So few brackets cost little
    to parse, and the values are counted afterwards.
    """
    opened, colons = _count(b"[", raw) + _count(b"{", raw), _count(b":", raw)
    if opened > MAX_DEPTH or colons > MAX_DEPTH:
        return None
    value = _loads(raw)
    if not isinstance(value, dict) or len(value) != colons:
        return None
    lists = [item for item in value.values() if isinstance(item, list)]
    # With a bracket left for a list in a list, the values are not counted here.
    return value if opened == 1 + len(lists) and sum(map(len, lists)) + colons <= MAX_VALUES else None


def _count(char: bytes, raw: bytes) -> int:
    """How often a rare character occurs, counted to just beyond MAX_DEPTH: looked for from one to the next."""
    count, at = 0, raw.find(char)
    while at >= 0 and count <= MAX_DEPTH:
        count, at = count + 1, raw.find(char, at + 1)
    return count


def _loads(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest("The body is not JSON in UTF-8", position=error.pos) from None


def _outside_strings(text: bytes, dropped: bytes, max_quotes: int = -1) -> bytes:
    """The bytes of a JSON text that are not in strings, without the `dropped`; anything of a text that is no JSON.

    Without escaped backslashes and quotes, each quote begins or ends a string. Two quotes with nothing between them can
    go, whichever they are: the other bytes stay in or outside strings.
    """
    if b"\\" in text:
        text = text.replace(rb"\\", b"").replace(rb"\"", b"")
    quoted = text.translate(None, dropped).replace(b'""', b"")
    return b"".join(quoted.split(b'"', max_quotes)[::2])


def _structure(text: bytes) -> bytes:
    """The brackets, colons and commas outside strings."""
    return _outside_strings(text, _NO_STRUCTURE, _MAX_QUOTES)


def _require_limits(structure: bytes) -> None:
    opened = structure.count(b"[") + structure.count(b"{")
    if opened + structure.count(b":") > MAX_PARTS:
        raise MalformedRequest(f"The body has more than {MAX_PARTS} objects, arrays and names")
    if structure.count(b",") >= MAX_VALUES:
        raise MalformedRequest(f"The body has more than {MAX_VALUES} values")
    if opened > MAX_DEPTH and max(accumulate(map(_STEPS.__getitem__, structure.translate(None, b":,")))) > MAX_DEPTH:
        raise MalformedRequest(f"The body is nested deeper than {MAX_DEPTH} levels")


def _loses_names(structure: bytes, value: Any) -> bool:
    """Whether the value has fewer names than the text, because one object has a name twice."""
    names = structure.count(b":")
    if names == (len(value) if isinstance(value, dict) else 0):
        return False
    return names != _structure(orjson.dumps(value)).count(b":")


def _has_long_number(raw: bytes) -> bool:
    marked = raw.translate(_ZEROS).replace(_TOO_LONG, _MARK)
    return _MARK in _outside_strings(marked, _NO_MARK)
