"""What operators do about money: the spending limits of an organization, and the report of what was used."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from models import money, organizations, spending, usage
from models.base import now
from ops.errors import CommandError

NO_LIMIT = "none"
LIMIT_COLUMNS = ("window", "since", "limit_chf", "spent_chf")
USAGE_COLUMNS = ("organization", "user", "engine", "tracks", "seconds", "cost_chf")


def limit(organization_id: str, changes: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """Sets the limits that are given: francs, or `none`. Returns a row for each window. Raises CommandError."""
    if not organizations.exists(organization_id):
        raise CommandError(f"There is no organization {organization_id}.")
    spending.set_limits(organization_id, {span: _cents(text) for span, text in changes.items() if text is not None})
    limits = spending.limits(organization_id)
    return [
        {
            "window": window.span,
            "since": window.start,
            "limit_chf": money.as_decimal(limits[window.span]) if window.span in limits else None,
            "spent_chf": money.as_decimal(cents),
        }
        for window, cents in spending.spent(organization_id, now())
    ]


def report(since: str | None, until: str | None, organization_id: str | None) -> list[dict[str, Any]]:
    """What was used from the day `since` to the day `until`, which does not belong to it; of this month by default.

    Raises CommandError.
    """
    month = spending.windows(now())[-1]
    start = month.start if since is None else _day(since)
    end = (month.end if since is None else now()) if until is None else _day(until)
    return [
        {
            "organization": row.organization_id,
            "user": row.user_id,
            "engine": row.engine,
            "tracks": row.track_count,
            "seconds": row.seconds,
            "cost_chf": money.as_decimal(row.cost_cents),
        }
        for row in usage.report(start, end)
        if organization_id in (None, row.organization_id)
    ]


def _cents(text: str) -> int | None:
    try:
        return None if text == NO_LIMIT else money.from_text(text)
    except ValueError as problem:
        raise CommandError(f"{str(problem).removesuffix('.')}, or none.") from None


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise CommandError(f"{text} is no day: write it as 2026-11-30.") from None
