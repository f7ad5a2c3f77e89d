"""Parser of the Prefer header (RFC 7240) with the mock's preferences: code, example and delay."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_DELAY_MS = 10_000
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# At the start or after a comma, and without backtracking: the time is that of one pass.
_PREFERENCE = re.compile(
    rf'(?<![^,])\s*+({_NAME}+)\s*+(?:=\s*+(?:"((?:[^"\\]|\\.)*+)"|({_NAME}+)))?\s*+(?:;[^,]*+)?(?:,|$)'
)


@dataclass
class Preferences:
    """The preferences of one request; `applied` collects the values of Preference-Applied."""

    code: int | None = None
    """The status of the documented example to send."""
    example: str | None = None
    """The name of the documented example to send."""
    delay_ms: int | None = None
    """The delay of the response in milliseconds, at most 10,000."""
    applied: list[str] = field(default_factory=list)


def read(fields: list[tuple[bytes, bytes]]) -> Preferences:
    """The known preferences; others are ignored, as RFC 7240 section 2 requires."""
    values: dict[str, str] = {}
    text = ",".join(value.decode("latin-1") for name, value in fields if name == b"prefer")
    for name, quoted, plain in _PREFERENCE.findall(text):
        values.setdefault(name.lower(), quoted or plain)  # the first of several counts (section 2)
    delay = _number(values.get("delay"))
    return Preferences(
        _number(values.get("code")),
        values.get("example") or None,
        delay if delay is not None and delay <= MAX_DELAY_MS else None,
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch("[0-9]{1,5}", text) else None
