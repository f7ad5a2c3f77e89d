"""What an organization may spend and a caller may run at once: reserved in the transaction of the request.

Each counter is changed by one conditional UPDATE, which waits for the other transactions on its row and then looks
again, on READ COMMITTED too: parallel requests cannot pass a limit together. Decision 76.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    Integer,
    bindparam,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from models import money
from models.base import BIGINT, now
from models.db import connection
from models.exceptions import SpendLimitExceeded, TooManyActiveJobs
from models.generation_tables import active_jobs, spend_limits, spend_windows
from models.upsert import insert_or_ignore, insert_or_update

SPANS = ("day", "week", "month")


class Window(NamedTuple):
    """A day, a week from Monday or a month of the calendar in UTC; `start` belongs to it, `end` does not."""

    span: str
    start: datetime
    end: datetime


_jobs, _windows, _limits = active_jobs.c, spend_windows.c, spend_limits.c
_IS_USER = (_jobs.organization_id == bindparam("organization"), _jobs.user_id == bindparam("user"))
_IS_WINDOW = (
    _windows.organization_id == bindparam("organization"),
    _windows.span == bindparam("which"),
    _windows.window_start == bindparam("start"),
)
_COST = bindparam("cost", type_=BIGINT)
_LIMIT = (
    select(_limits.limit_cents)
    .where(_limits.organization_id == bindparam("organization"), _limits.span == bindparam("which"))
    .scalar_subquery()
)

BEGIN_COUNT = insert_or_ignore(active_jobs).values(
    organization_id=bindparam("organization"), user_id=bindparam("user"), job_count=0
)
TAKE_PLACE = (
    update(active_jobs)
    .where(*_IS_USER, _jobs.job_count < bindparam("most", type_=Integer()))
    .values(job_count=_jobs.job_count + 1)
)
GIVE_PLACE = update(active_jobs).where(*_IS_USER, _jobs.job_count > 0).values(job_count=_jobs.job_count - 1)

BEGIN_WINDOW = insert_or_ignore(spend_windows).values(
    organization_id=bindparam("organization"), span=bindparam("which"), window_start=bindparam("start"), spent_cents=0
)
SPEND = (
    update(spend_windows)
    .where(*_IS_WINDOW, or_(_LIMIT.is_(None), _windows.spent_cents + _COST <= _LIMIT))
    .values(spent_cents=_windows.spent_cents + _COST)
)
GIVE_BACK = (
    update(spend_windows)
    .where(*_IS_WINDOW, _windows.spent_cents >= _COST)
    .values(spent_cents=_windows.spent_cents - _COST)
)
SPENT = select(_windows.spent_cents).where(*_IS_WINDOW)

LIMITS = select(_limits.span, _limits.limit_cents).where(_limits.organization_id == bindparam("organization"))
_new_limit = insert(spend_limits).values(
    organization_id=bindparam("organization"), span=bindparam("which"), limit_cents=bindparam("cents")
)
SET_LIMIT = insert_or_update(
    _new_limit,
    index_elements=[_limits.organization_id, _limits.span],
    set_={"limit_cents": _new_limit.excluded.limit_cents},
)
REMOVE_LIMIT = delete(spend_limits).where(
    _limits.organization_id == bindparam("organization"), _limits.span == bindparam("which")
)


def windows(at: datetime) -> list[Window]:
    """The day, the week and the month of a moment."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    week, month = day - timedelta(days=day.weekday()), day.replace(day=1)
    ends = day + timedelta(days=1), week + timedelta(days=7), (month + timedelta(days=31)).replace(day=1)
    return [Window(*each) for each in zip(SPANS, (day, week, month), ends, strict=True)]


def begin_count(organization_id: str, user_id: str) -> None:
    """Makes the row of the user's turns and active jobs, unless there is one."""
    connection.execute(BEGIN_COUNT, organization=organization_id, user=user_id)


def take_place(organization_id: str, user_id: str, most: int) -> None:
    """Counts one more active job of the user. Raises TooManyActiveJobs if there are `most` already."""
    user = {"organization": organization_id, "user": user_id}
    begin_count(organization_id, user_id)
    if not connection.execute(TAKE_PLACE, **user, most=most):
        raise too_many(most)


def too_many(most: int) -> TooManyActiveJobs:
    """The error for a caller who has that many active jobs."""
    return TooManyActiveJobs(f"The caller has {most} queued or running jobs, and may have no more", active_jobs=most)


def reserve(organization_id: str, cost_cents: int, at: datetime) -> None:
    """Reserves the cost in the windows of `at`. Raises SpendLimitExceeded if it is more than is left of a limit."""
    for window in windows(at) if cost_cents else ():
        which = _which(organization_id, window)
        connection.execute(BEGIN_WINDOW, **which)
        if not connection.execute(SPEND, **which, cost=cost_cents):
            raise _exceeded(window, limits(organization_id)[window.span])


def give_back(organization_id: str, cost_cents: int, at: datetime) -> None:
    """Takes a cost out of the windows of `at`, for which it was reserved."""
    for window in windows(at) if cost_cents else ():
        connection.execute(GIVE_BACK, **_which(organization_id, window), cost=cost_cents)


def settle(organization_id: str, user_id: str, cost_cents: int, created_at: datetime, *, charged: bool) -> None:
    """Counts a job that has ended as active no more, and gives its cost back unless it is `charged`.

    In the transaction that ends the job.
    """
    connection.execute(GIVE_PLACE, organization=organization_id, user=user_id)
    if not charged:
        give_back(organization_id, cost_cents, created_at)


def limits(organization_id: str) -> Mapping[str, int]:
    """The spending limits of an organization in hundredths of a Swiss franc, by window."""
    return {row.span: row.limit_cents for row in connection.fetch_all(LIMITS, organization=organization_id)}


@connection.transaction
def set_limits(organization_id: str, changes: Mapping[str, int | None]) -> None:
    """Sets the limits of these windows in hundredths of a Swiss franc; None removes one."""
    for span, cents in changes.items():
        if cents is None:
            connection.execute(REMOVE_LIMIT, organization=organization_id, which=span)
        else:
            connection.execute(SET_LIMIT, organization=organization_id, which=span, cents=cents)


def spent(organization_id: str, at: datetime) -> Iterator[tuple[Window, int]]:
    """What the organization has spent or reserved in each window of `at`, in hundredths of a Swiss franc."""
    for window in windows(at):
        row = connection.fetch_one(SPENT, **_which(organization_id, window))
        yield window, 0 if row is None else row.spent_cents


def _which(organization_id: str, window: Window) -> dict[str, object]:
    return {"organization": organization_id, "which": window.span, "start": window.start}


def _exceeded(window: Window, limit_cents: int) -> SpendLimitExceeded:
    limit = money.as_decimal(limit_cents)
    return SpendLimitExceeded(
        f"The limit of the {window.span} is {limit} CHF, and this request would exceed it",
        retry_after=max(1, math.ceil((window.end - now()).total_seconds())),
        window=window.span,
        limit_chf=limit,
        resets_at=f"{window.end:%Y-%m-%dT%H:%M:%SZ}",
    )
