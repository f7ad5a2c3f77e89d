"""What callers have used: pieces and money by engine, from the rows of their jobs and of their focus segments."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, case, func, literal, select

from models import spending
from models.access import Caller, require_membership
from models.base import UTCDateTime, now
from models.db import connection
from models.focus_tables import focus_segments
from models.generation_tables import generations


class EngineUsage(NamedTuple):
    """What was used of one engine; `cost_cents` is in hundredths of a Swiss franc."""

    engine: str
    track_count: int
    cost_cents: int


class WindowUsage(NamedTuple):
    """What a caller has used in a window; `limit_cents` is what the organization may spend in it, or None."""

    window: spending.Window
    limit_cents: int | None
    by_engine: Sequence[EngineUsage]

    @property
    def cost_cents(self) -> int:
        return sum(each.cost_cents for each in self.by_engine)


class ReportRow(NamedTuple):
    """What one user of an organization has used of one engine; `cost_cents` is in hundredths of a Swiss franc."""

    organization_id: str
    user_id: str
    engine: str
    track_count: int
    seconds: int
    cost_cents: int


_jobs, _segments = generations.c, focus_segments.c
# What ends without a track costs nothing.
_COUNTS = _jobs.status.in_(("queued", "running", "succeeded"))
_IS_TRACK = _jobs.status == "succeeded"


def _sum(condition: ColumnElement[bool], value: Any) -> ColumnElement[int]:
    return func.sum(case((condition, value), else_=0))


def _since(span: str, moment: ColumnElement[datetime] = _jobs.created_at) -> ColumnElement[bool]:
    return moment >= bindparam(span, type_=UTCDateTime())


OF_CALLER = (
    select(
        _jobs.engine,
        *(_sum(and_(_since(span), _IS_TRACK), 1).label(f"{span}_tracks") for span in spending.SPANS),
        *(_sum(_since(span), _jobs.cost_cents).label(f"{span}_cents") for span in spending.SPANS),
    )
    .where(
        _jobs.organization_id == bindparam("organization"),
        _jobs.user_id == bindparam("user"),
        _jobs.created_at >= bindparam("earliest", type_=UTCDateTime()),
        _COUNTS,
    )
    .group_by(_jobs.engine)
    .order_by(_jobs.engine)
)

# Segments are no tracks; one that is not made any more has no row.
FOCUS_OF_CALLER = (
    select(
        _segments.engine,
        *(
            _sum(_since(span, _segments.reserved_at), _segments.cost_cents).label(f"{span}_cents")
            for span in spending.SPANS
        ),
    )
    .where(
        _segments.organization_id == bindparam("organization"),
        _segments.user_id == bindparam("user"),
        _segments.reserved_at >= bindparam("earliest", type_=UTCDateTime()),
    )
    .group_by(_segments.engine)
    .order_by(_segments.engine)
)

# For operators: it reads the rows of all organizations.
OF_EVERYBODY = (
    select(
        _jobs.organization_id,
        _jobs.user_id,
        _jobs.engine,
        _sum(_IS_TRACK, 1).label("track_count"),
        _sum(_IS_TRACK, _jobs.duration_seconds).label("seconds"),
        func.sum(_jobs.cost_cents).label("cost_cents"),
    )
    .where(
        _jobs.created_at >= bindparam("start", type_=UTCDateTime()),
        _jobs.created_at < bindparam("end", type_=UTCDateTime()),
        _COUNTS,
    )
    .group_by(_jobs.organization_id, _jobs.user_id, _jobs.engine)
    .order_by(_jobs.organization_id, _jobs.user_id, _jobs.engine)
)

FOCUS_OF_EVERYBODY = (
    select(
        _segments.organization_id,
        _segments.user_id,
        _segments.engine,
        literal(0).label("track_count"),
        _sum(_segments.made_at.is_not(None), _segments.seconds).label("seconds"),
        func.sum(_segments.cost_cents).label("cost_cents"),
    )
    .where(
        _segments.reserved_at >= bindparam("start", type_=UTCDateTime()),
        _segments.reserved_at < bindparam("end", type_=UTCDateTime()),
    )
    .group_by(_segments.organization_id, _segments.user_id, _segments.engine)
)


def of_caller(caller: Caller, organization_id: str) -> list[WindowUsage]:
    """The caller's usage of the day, the week and the month that are open now. Raises AccessDenied."""
    require_membership(caller, organization_id)
    windows, limits = spending.windows(now()), spending.limits(organization_id)
    binds = {"organization": organization_id, "user": caller.user_id} | {each.span: each.start for each in windows}
    earliest = min(window.start for window in windows)
    rows = [
        *connection.fetch_all(OF_CALLER, **binds, earliest=earliest),
        *connection.fetch_all(FOCUS_OF_CALLER, **binds, earliest=earliest),
    ]
    return [WindowUsage(each, limits.get(each.span), _by_engine(rows, each.span)) for each in windows]


def report(start: datetime, end: datetime) -> list[ReportRow]:
    """What everybody has used from `start` to `end`, by organization, user and engine."""
    sums: dict[tuple[str, str, str], list[int]] = {}
    for statement in (OF_EVERYBODY, FOCUS_OF_EVERYBODY):
        for row in connection.fetch_all(statement, start=start, end=end):
            total = sums.setdefault((row.organization_id, row.user_id, row.engine), [0, 0, 0])
            # PostgreSQL's sums are decimal numbers.
            for place, value in enumerate((row.track_count, row.seconds, row.cost_cents)):
                total[place] += int(value)
    return [ReportRow(*who, *sums[who]) for who in sorted(sums)]


def _by_engine(rows: Sequence[Any], span: str) -> list[EngineUsage]:
    tracks, cents = Counter[str](), Counter[str]()
    for row in rows:
        tracks[row.engine] += int(getattr(row, f"{span}_tracks", 0))
        cents[row.engine] += int(getattr(row, f"{span}_cents"))
    engines = sorted({row.engine for row in rows if tracks[row.engine] or cents[row.engine]})
    return [EngineUsage(engine, tracks[engine], cents[engine]) for engine in engines]
