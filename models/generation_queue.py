"""The queue of jobs as a whole: its length, age and seconds, the end of old jobs, and the queue after a restore."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    update,
)

from models.base import now
from models.db import connection
from models.generation_tables import generations
from models.retention import batch_end, delete_before

_row = generations.c
# SQLite uses a partial index only where its condition stands in the statement, as a text and without `= 1`.
_IS_ACTIVE: ColumnElement[bool] = literal_column("generations.status IN ('queued', 'running')")
_IS_QUEUED: ColumnElement[bool] = literal_column("generations.status = 'queued'")
_IS_RUNNING: ColumnElement[bool] = literal_column("generations.status = 'running'")

QUEUED = select(func.count().label("jobs")).select_from(generations).where(_IS_ACTIVE, _IS_QUEUED)
RUNNING = select(func.count().label("jobs")).select_from(generations).where(_IS_ACTIVE, _IS_RUNNING)
OLDEST = (
    select(_row.created_at)
    .where(_IS_ACTIVE, _IS_QUEUED)
    .order_by(_row.created_at, _row.organization_id, _row.id)
    .limit(1)
)

# What the jobs of one organization that wait or are at work will add to its audio.
SECONDS = select(func.coalesce(func.sum(_row.duration_seconds), 0).label("seconds")).where(
    _IS_ACTIVE, _row.organization_id == bindparam("organization")
)
REQUEUE_ALL = (
    update(generations)
    .where(_IS_ACTIVE, _IS_RUNNING)
    .values(status="queued", worker_id=None, started_at=None, attempt=_row.attempt - bindparam("uncounted"))
)

BATCH_END = batch_end(_row.finished_at)
DELETE_BATCH_ROWS = delete(generations).where(_row.finished_at < bindparam("before"))


class QueueState(NamedTuple):
    """How many jobs wait and run, and for how many seconds the oldest one has waited."""

    queued: int
    running: int
    oldest_seconds: float


def state() -> QueueState:
    """The queue now. Raises Unavailable."""
    oldest = connection.fetch_one(OLDEST)
    seconds = 0.0 if oldest is None else max(0.0, _age(oldest.created_at))
    return QueueState(_count(QUEUED), _count(RUNNING), seconds)


def seconds(organization_id: str) -> int:
    """The seconds of music that an organization has in the queue and at work."""
    row = connection.fetch_one(SECONDS, organization=organization_id)
    return 0 if row is None else int(row.seconds)


def give_back_all() -> int:
    """Puts every job that is at work back into the queue, as after a restore; returns their number.

    A worker that still works at one of them has lost it. Raises Unavailable.
    """
    return connection.execute(REQUEUE_ALL, uncounted=1)


def delete_ended(older_than_days: float) -> int:
    """Deletes the jobs, with their prompts, that ended so long ago; returns their number. Raises Unavailable."""
    return delete_before(BATCH_END, DELETE_BATCH_ROWS, now() - timedelta(days=older_than_days))


def _age(created_at: datetime) -> float:
    return (now() - created_at).total_seconds()


def _count(statement: Select[int]) -> int:
    row = connection.fetch_one(statement)
    return 0 if row is None else int(row.jobs)
