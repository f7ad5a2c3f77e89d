"""Deprecation, Sunset and Link headers of a deprecated operation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any

RELATIONS = {"link": "deprecation", "successor": "successor-version"}


def headers(node: Mapping[str, Any], public_path: str) -> dict[str, str]:
    """Deprecation (RFC 9745), Sunset (RFC 8594) and Link (RFC 8288, RFC 5829) of a deprecated operation.

    `public_path` goes before a link to this server.
    """
    if not node.get("deprecated"):
        return {}
    about: Mapping[str, str] = node.get("x-deprecation", {})
    fields = {"deprecation": f"@{_since(about):.0f}"}
    if "x-sunset" in node:
        fields["sunset"] = format_datetime(_day(node["x-sunset"]), usegmt=True)
    addresses = {key: public_path + about[key] if about[key].startswith("/") else about[key] for key in about}
    links = [f'<{addresses[key]}>; rel="{relation}"' for key, relation in RELATIONS.items() if key in about]
    if links:
        fields["link"] = ", ".join(links)
    return fields


def _since(about: Mapping[str, str]) -> float:
    """Unix time of the contract's date, or else of today: RFC 9745 requires a date."""
    return _day(about["since"] if "since" in about else datetime.now(UTC).date().isoformat()).timestamp()


def _day(text: str) -> datetime:
    """Midnight UTC of a date."""
    return datetime.combine(date.fromisoformat(text), time(), UTC)
