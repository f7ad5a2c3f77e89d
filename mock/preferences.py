"""Parser of the Prefer header (RFC 7240) with the preferences of the mock.

These are `code`, `example`, `delay` and `dynamic`, and `handling` of RFC 7240 section 4.4. Decisions 55 and 91.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_DELAY_MS = 10_000
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# At the start or after a comma, and without backtracking: the time is that of one pass.
_PREFERENCE = re.compile(
    rf'(?<![^,])\s*+({_NAME}+)\s*+(?:=\s*+(?:"((?:[^"\\]|\\.)*+)"|({_NAME}+)))?\s*+(?:;[^,]*+)?(?:,|$)'
)
_VALUES = {
    "code": (re.compile("[0-9]{1,5}"), "must be a status"),
    "example": (re.compile(".+"), "must be the name of an example"),
    "delay": (re.compile("[0-9]{1,5}"), f"must be a number of milliseconds, at most {MAX_DELAY_MS}"),
    "dynamic": (re.compile("true|false|"), "must be true or false"),
    "handling": (re.compile("strict|lenient"), "must be strict or lenient"),
}


@dataclass
class Preferences:
    """The preferences of one request; `applied` collects the values of Preference-Applied."""

    code: int | None = None
    """The status of the documented example to send."""
    example: str | None = None
    """The name of the documented example to send."""
    delay_ms: int | None = None
    """The delay of the response in milliseconds, at most 10,000."""
    dynamic: bool = False
    """Whether the body of the response is generated from its schema."""
    strict: bool = False
    """Whether a preference that cannot be applied is an error."""
    applied: list[str] = field(default_factory=list)
    ignored: dict[str, str] = field(default_factory=dict)
    """The reason for each preference that is not applied, by name."""


def read(fields: list[tuple[bytes, bytes]]) -> Preferences:
    """The known preferences; others are ignored, as RFC 7240 section 2 requires."""
    values: dict[str, str] = {}
    text = ",".join(value.decode("latin-1") for name, value in fields if name == b"prefer")
    for name, quoted, plain in _PREFERENCE.findall(text):
        values.setdefault(name.lower(), quoted or plain)  # the first of several counts (section 2)
    ignored = {name: reason for name, value in values.items() if (reason := _reason(name, value))}
    if _PREFERENCE.sub("", text).strip(", \t"):
        ignored["Prefer"] = "has parts that are no preference"
    return _preferences({name: value for name, value in values.items() if name not in ignored}, ignored)


def _reason(name: str, value: str) -> str:
    """Why the preference cannot be applied to any request; empty if it can."""
    if name not in _VALUES:
        return "is not known here"
    form, reason = _VALUES[name]
    if not form.fullmatch(value) or (name == "delay" and int(value) > MAX_DELAY_MS):
        return reason
    return ""


def _preferences(values: Mapping[str, str], ignored: dict[str, str]) -> Preferences:
    strict = values.get("handling") == "strict"
    return Preferences(
        int(values["code"]) if "code" in values else None,
        values.get("example"),
        int(values["delay"]) if "delay" in values else None,
        dynamic=values.get("dynamic") in ("true", ""),
        strict=strict,
        applied=["handling=strict"] if strict else [],
        ignored=ignored,
    )
