"""Range requests and the conditional requests of a file (RFC 9110 sections 13 and 14).

One function decides what is sent, whoever sends it. The validator of a file is a strong entity tag, and it has no date
of modification: `If-Modified-Since` and `If-Unmodified-Since` have no meaning then (sections 13.1.3 and 13.1.4), and a
date in `If-Range` matches nothing (section 13.1.5).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from web.exceptions import RangeNotSatisfiable
from web.http import preconditions

_UNIT = "bytes"
# first-pos "-" [last-pos], or "-" suffix-length (section 14.1.1 and 14.1.2).
_SPEC = re.compile(r"([0-9]+)-([0-9]*)|-([0-9]+)")
_SIMPLE = re.compile(r"bytes=(?:[0-9]{1,15}-[0-9]{0,15}|-[0-9]{1,15})")
# A position with more digits lies behind the end of every file; int() would take quadratic time for thousands of them.
_MAX_DIGITS = 18


class RangeRequest(NamedTuple):
    """What a request says of the part that it wants: its method and fields, None for a field that was not sent."""

    method: str
    if_none_match: str | None = None
    range: str | None = None
    if_range: str | None = None


class Selection(NamedTuple):
    """The status of the response (200, 206 or 304) and the bytes that it sends, from `start` to before `end`."""

    status: int
    start: int
    end: int

    def headers(self, size: int) -> dict[str, str]:
        """The header fields that say which bytes of a file of so many bytes are sent."""
        if self.status == 304:
            return {}
        accepted = {"accept-ranges": _UNIT}
        if self.status == 206:
            accepted["content-range"] = f"{_UNIT} {self.start}-{self.end - 1}/{size}"
        return accepted


def select(request: RangeRequest, size: int, tag: str) -> Selection:
    """The part of a file of `size` bytes with the quoted strong tag that a GET or HEAD gets.

    Several ranges, another unit, and what is no range give the whole file, as section 14.2 allows. Raises
    RangeNotSatisfiable.
    """
    if preconditions.is_known(request.if_none_match, tag):
        return Selection(304, 0, 0)
    whole = Selection(200, 0, size)
    if request.range is None or request.method != "GET" or not _is_current(request.if_range, tag):
        return whole
    bounds = _single(request.range)
    if bounds is None or size == 0:
        return whole
    first, last = bounds
    start, end = (max(size - last, 0), size) if first is None else (first, min(last + 1, size))
    if start >= size:
        raise RangeNotSatisfiable(size)
    return Selection(206, start, end)


def is_simple(value: str) -> bool:
    """Whether every server understands a Range alike: one range, without spaces and surplus zeros or digits."""
    return _SIMPLE.fullmatch(value) is not None


def _is_current(if_range: str | None, tag: str) -> bool:
    """Strong comparison (section 13.1.5): a weak tag or a date is never current."""
    return if_range is None or if_range.strip(" \t") == tag


def _single(value: str) -> tuple[int | None, int] | None:
    """First and last position of the only range, (None, length) of a suffix; None if there is no such range."""
    unit, _, listed = value.strip(" \t").partition("=")
    if unit.lower() != _UNIT or listed != listed.lstrip(" \t"):
        return None
    specs = [spec for part in listed.split(",") if (spec := part.strip(" \t"))]
    found = _SPEC.fullmatch(specs[0]) if len(specs) == 1 else None
    if found is None:
        return None
    first, last, suffix = found.groups()
    if first is None:
        return None, _position(suffix)
    if last and _order(last) < _order(first):
        return None
    return _position(first), _position(last) if last else 10**_MAX_DIGITS


def _order(digits: str) -> tuple[int, str]:
    """A key that sorts as the numbers do."""
    digits = digits.lstrip("0")
    return len(digits), digits


def _position(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS
