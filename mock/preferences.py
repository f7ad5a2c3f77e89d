"""What a client may ask of the mock: the header field Prefer (RFC 7240), with preferences of our own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_DELAY_MS = 10_000
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PREFERENCE = re.compile(rf'\s*({_WORD})\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD})))?\s*(?:;[^,]*)?(?:,|$)')


@dataclass
class Preferences:
    """The preferences of one request; `applied` gathers those that were heeded, as they are said back."""

    code: int | None = None
    """The status of the documented example to be answered."""
    example: str | None = None
    """The name of the documented example to be answered."""
    delay_ms: int | None = None
    """How long the answer is to be held back."""
    applied: list[str] = field(default_factory=list)


def read(fields: list[tuple[bytes, bytes]]) -> Preferences:
    """The preferences that have a meaning here; any other is passed over, as section 2 of the RFC demands."""
    given: dict[str, str] = {}
    text = ",".join(value.decode("latin-1") for name, value in fields if name == b"prefer")
    for name, quoted, plain in _PREFERENCE.findall(text):
        given.setdefault(name.lower(), quoted or plain)  # of one that comes twice, the first counts (section 2)
    delay = _number(given.get("delay"))
    return Preferences(
        _number(given.get("code")),
        given.get("example") or None,
        delay if delay is not None and delay <= MAX_DELAY_MS else None,
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch("[0-9]{1,5}", text) else None
