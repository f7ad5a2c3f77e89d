"""What the contract says of an operation that goes away, as header fields of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any

RELATIONS = {"link": "deprecation", "successor": "successor-version"}


def headers(node: Mapping[str, Any]) -> dict[str, str]:
    """Deprecation (RFC 9745), Sunset (RFC 8594) and Link (RFC 8288, RFC 5829) of a deprecated operation."""
    if not node.get("deprecated"):
        return {}
    about: Mapping[str, str] = node.get("x-deprecation", {})
    found = {"deprecation": f"@{_since(about):.0f}"}
    if "x-sunset" in node:
        found["sunset"] = format_datetime(_day(node["x-sunset"]), usegmt=True)
    links = [f'<{about[key]}>; rel="{relation}"' for key, relation in RELATIONS.items() if key in about]
    if links:
        found["link"] = ", ".join(links)
    return found


def _since(about: Mapping[str, str]) -> float:
    """The contract's own date. Where it has none, today is true too: RFC 9745 knows no deprecation without a date."""
    return _day(about["since"] if "since" in about else datetime.now(UTC).date().isoformat()).timestamp()


def _day(text: str) -> datetime:
    """The beginning of a day in UTC."""
    return datetime.combine(date.fromisoformat(text), time(), UTC)
