"""Jobs as a worker sees them: takes one, reports its progress, ends it, or gives it back.

Every write names the worker and its attempt, so a worker that was stopped, taken over and goes on writes nothing. The
row is the only truth: a job is lost or made twice only if this module is wrong. Decision 78.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Integer,
    Text,
    bindparam,
    case,
    literal_column,
    select,
    update,
)

from models import spending
from models.base import now
from models.db import connection
from models.generation_tables import active_jobs, generations

MAX_ATTEMPTS = 3
# Turns are taken among the callers of the oldest jobs in the queue; one caller has few jobs in it.
CANDIDATES = 1000
DIED = "The service stopped three times while it made this piece."


class Work(NamedTuple):
    """A job that a worker has taken. Nobody else has this `attempt` of it."""

    organization_id: str
    id: str
    user_id: str
    engine: str
    mode: str
    prompt: str
    duration_seconds: int
    instrumental: bool
    lyrics: str | None
    seed_track_id: str | None
    style_tags: str
    title: str | None
    seed: int
    cost_cents: int
    attempt: int
    worker_id: str
    created_at: datetime
    trace_context: str | None

    @property
    def tags(self) -> list[str]:
        """The style tags."""
        return list(json.loads(self.style_tags))


_row, _turn = generations.c, active_jobs.c
_COLUMNS = [_row[name] for name in Work._fields]
# SQLite uses a partial index only where its condition stands in the statement, as a text and without `= 1`.
_IS_ACTIVE: ColumnElement[bool] = literal_column("generations.status IN ('queued', 'running')")
_IS_QUEUED: ColumnElement[bool] = literal_column("generations.status = 'queued'")
_IS_RUNNING: ColumnElement[bool] = literal_column("generations.status = 'running'")
_IS_JOB = (_row.organization_id == bindparam("organization"), _row.id == bindparam("job"))
_IS_MINE = (*_IS_JOB, _IS_RUNNING, _row.attempt == bindparam("mine"), _row.worker_id == bindparam("worker"))

# A subquery and no join: a planner without statistics must not begin with the turns of all users.
_TAKEN_AT = (
    select(_turn.taken_at)
    .where(_turn.organization_id == _row.organization_id, _turn.user_id == _row.user_id)
    .scalar_subquery()
)
QUEUE = (
    select(_row.organization_id, _row.id, _row.user_id, _row.created_at, _TAKEN_AT.label("taken_at"))
    .where(_IS_ACTIVE, _IS_QUEUED)
    .order_by(_row.created_at, _row.organization_id, _row.id)
    .limit(bindparam("count", type_=Integer()))
)
TAKE = (
    update(generations)
    .where(*_IS_JOB, _IS_QUEUED)
    .values(
        status="running",
        attempt=_row.attempt + 1,
        worker_id=bindparam("worker"),
        started_at=bindparam("now"),
    )
    .returning(*_COLUMNS)
)
SET_TURN = (
    update(active_jobs)
    .where(_turn.organization_id == bindparam("organization"), _turn.user_id == bindparam("user"))
    .values(taken_at=bindparam("now"))
)
_UNCOUNTED = bindparam("uncounted", type_=Integer())
_SHARE, _STATUS = bindparam("share", type_=Integer()), bindparam("new_status", type_=Text())
HOLDS = select(_row.id).where(*_IS_MINE)
PROGRESS = (
    update(generations).where(*_IS_MINE).values(progress=case((_row.progress < _SHARE, _SHARE), else_=_row.progress))
)
END = (
    update(generations)
    .where(*_IS_MINE)
    .values(
        status=_STATUS,
        progress=case((_STATUS == "succeeded", 100), else_=_row.progress),
        result_track_id=bindparam("track"),
        error_message=bindparam("message"),
        refusal_reason=bindparam("reason"),
        finished_at=bindparam("now"),
    )
)
REQUEUE = (
    update(generations)
    .where(*_IS_MINE)
    .values(status="queued", worker_id=None, started_at=None, attempt=_row.attempt - _UNCOUNTED)
)
MADE = select(_row.id).where(*_IS_JOB, _row.result_track_id == bindparam("track"))
HELD_BY = select(*_COLUMNS).where(_IS_ACTIVE, _IS_RUNNING, _row.worker_id == bindparam("worker"))
RUNNING = select(_row.worker_id).where(_IS_ACTIVE, _IS_RUNNING)


class Lost(Exception):
    """The job is no longer this worker's: it was cancelled, or another worker has taken it over."""


def waiting() -> Sequence[Any]:
    """The oldest jobs in the queue, with the turns of their callers."""
    return connection.fetch_all(QUEUE, count=CANDIDATES)


@connection.transaction
def take(organization_id: str, job_id: str, user_id: str, worker_id: str) -> Work | None:
    """The job; None if another worker took it first, or its caller has cancelled it."""
    row = connection.fetch_one(TAKE, organization=organization_id, job=job_id, worker=worker_id, now=now())
    if row is None:
        return None
    connection.execute(SET_TURN, organization=organization_id, user=user_id, now=now())
    return Work._make(row)


def require_held(work: Work) -> None:
    """Raises Lost unless the job is still this worker's."""
    if connection.fetch_one(HOLDS, **_mine(work)) is None:
        raise Lost


def report_progress(work: Work, percent: int) -> None:
    """Sets the progress, which never falls. Raises Lost."""
    if not connection.execute(PROGRESS, **_mine(work), share=percent):
        raise Lost


@connection.transaction
def succeed(work: Work, add_track: Callable[[], str]) -> None:
    """Ends the job with the track that `add_track` inserts, in one transaction. Raises Lost; then there is no track."""
    require_held(work)
    _end(work, "succeeded", track=add_track())


def has_made(work: Work, track_id: str) -> bool:
    """Whether the job has ended with this track."""
    row = connection.fetch_one(MADE, organization=work.organization_id, job=work.id, track=track_id)
    return row is not None


@connection.transaction
def fail(work: Work, message: str) -> None:
    """Ends the job as failed, at no cost; the message is for whoever asked. Raises Lost."""
    _end(work, "failed", message=message)


@connection.transaction
def refuse(work: Work, reason: str) -> None:
    """Ends the job as refused, at no cost. Raises Lost."""
    _end(work, "refused", reason=reason)


def give_back(work: Work) -> None:
    """Puts the job back into the queue as if it had not been taken; its caller is next."""
    _requeue(work, uncounted=1)


def retry(work: Work, message: str = DIED) -> None:
    """Puts the job back after an attempt that failed; after the third one it fails with the message. Raises Lost."""
    if work.attempt >= MAX_ATTEMPTS:
        fail(work, message)
    else:
        _requeue(work, uncounted=0)


def held_by(worker_id: str) -> list[Work]:
    """The jobs that a worker has."""
    return [Work._make(row) for row in connection.fetch_all(HELD_BY, worker=worker_id)]


def holders() -> set[str]:
    """The ids of the workers that have a job."""
    return {row.worker_id for row in connection.fetch_all(RUNNING)}


@connection.transaction
def _requeue(work: Work, *, uncounted: int) -> None:
    if not connection.execute(REQUEUE, **_mine(work), uncounted=uncounted):
        raise Lost
    connection.execute(SET_TURN, organization=work.organization_id, user=work.user_id, now=None)


def _end(
    work: Work, status: str, *, track: str | None = None, message: str | None = None, reason: str | None = None
) -> None:
    values = {"new_status": status, "track": track, "message": message, "reason": reason, "now": now()}
    if not connection.execute(END, **_mine(work), **values):
        raise Lost
    spending.settle(work.organization_id, work.user_id, work.cost_cents, work.created_at, charged=status == "succeeded")


def _mine(work: Work) -> dict[str, object]:
    return {
        "organization": work.organization_id,
        "job": work.id,
        "mine": work.attempt,
        "worker": work.worker_id,
    }
