"""Redaction: masks API keys and tokens, so that no log line and no error contains a secret."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

_WORD = "[0-9A-Za-z_-]"
# A token is looked for at the beginning of a word only, and its words are taken whole: the time is that of one pass.
_SECRET = re.compile(
    rf"(?<!{_WORD})(?={_WORD}*?eyJ){_WORD}++\.{_WORD}++\.?{_WORD}*+"
    rf"|(?:msk|shr)_[0-9A-Za-z]{{8,}}|mseal_{_WORD}{{8,}}"
)


def redact(text: str) -> str:
    """The text with every API key, token, seal of a playback URL and token of a share link replaced by `***`."""
    return _SECRET.sub("***", text)


MASK = "***"
_URL = re.compile(r"(?<![\w+.-])([\w+.-]*)://([^\s\"]+)")
# name=value in a query, in a libpq connection string or in a list of header fields.
_NAME = re.compile(r"(?<![^\s?&;,'\"({])([^\s=?&;,'\"({]+)=")
_VALUE = re.compile(r"(?:Bearer |Basic )?(?:'[^']*'|[^\s&;,\"]*)")
_SECRET_NAME = re.compile("pass|pwd|secret|token|auth|credential|api.?key|signature", re.IGNORECASE)


def mask_url(url: str) -> str:
    """A URL without its password, and without the secrets in its query; what is no URL is masked as a text."""
    scheme, colon, rest = url.partition("://")
    return redact(_mask_assignments(f"{scheme}://{_mask_userinfo(scheme, rest)}" if colon else url))


def mask_credentials(text: str) -> str:
    """A text of unknown origin, such as an error of a driver, without API keys, tokens and passwords."""
    if "://" in text:  # most lines of a log have no URL and no assignment
        text = _URL.sub(lambda found: f"{found[1]}://{_mask_userinfo(found[1], found[2])}", text)
    return redact(_mask_assignments(text) if "=" in text else text)


def _mask_userinfo(scheme: str, rest: str) -> str:
    """What follows `://`, without its password (RFC 3986 section 3.2.1).

    A password may contain a / or an @ that should have been percent-encoded, so the userinfo ends at the last @.
    """
    userinfo, at, place = rest.rpartition("@")
    if not at or rest.startswith("/"):
        return rest
    user, colon, _ = userinfo.partition(":")
    if colon:
        return f"{user}:{MASK}@{place}"
    return rest if scheme.startswith("postgres") else f"{MASK}@{place}"


def _mask_assignments(text: str) -> str:
    parts, end = [], 0
    for found in _NAME.finditer(text):
        value = _VALUE.match(text, found.end())
        if value is not None and found.start() >= end and _is_secret(found[1]):
            parts += [text[end : found.end()], MASK]
            end = value.end()
    return "".join([*parts, text[end:]])


def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(unquote_plus(name)) is not None
