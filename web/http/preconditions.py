"""Conditional requests (RFC 9110 section 13), with the version of a resource as its entity tag.

Decisions 16 and 17.
"""

from __future__ import annotations

import re

NO_VERSION = -1
_TAG = re.compile(r'(?:W/)?("[^"]*")')
_VERSION = re.compile(r'"([1-9][0-9]{0,17})"')


def expected_version(if_match: str | None) -> int | None:
    """The version in If-Match, or None for any version.

    The comparison is strong (section 13.1.1): a weak tag, or a tag that is no version, matches no version.
    """
    if if_match is None or if_match == "*":
        return None
    version = _VERSION.fullmatch(if_match)
    return int(version[1]) if version else NO_VERSION


def is_known(if_none_match: str | None, tag: str | None) -> bool:
    """Whether If-None-Match contains the tag, if there is one; weak comparison (section 13.1.2)."""
    if if_none_match is None or tag is None:
        return False
    return if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)
