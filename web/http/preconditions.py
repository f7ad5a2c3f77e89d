"""Conditional requests (RFC 9110 section 13) on entity tags that name a version."""

from __future__ import annotations

import re

NO_VERSION = -1
_TAG = re.compile(r'(?:W/)?("[^"]*")')
_VERSION = re.compile(r'"([1-9][0-9]{0,17})"')


def expected_version(if_match: str | None) -> int | None:
    """The version that If-Match asks for; None when any will do.

    The comparison is strong (section 13.1.1): a weak tag, or one that we never gave out, equals no version.
    """
    if if_match is None or if_match == "*":
        return None
    version = _VERSION.fullmatch(if_match)
    return int(version[1]) if version else NO_VERSION


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Whether the client has the representation already: a weak comparison (section 13.1.2)."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)
