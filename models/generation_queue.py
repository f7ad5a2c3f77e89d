"""The queue of jobs as operators see it: its length and its age; and the end of old jobs."""

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


def delete_ended(older_than_days: float) -> int:
    """Deletes the jobs, with their prompts, that ended so long ago; returns their number. Raises Unavailable."""
    return delete_before(BATCH_END, DELETE_BATCH_ROWS, now() - timedelta(days=older_than_days))


def _age(created_at: datetime) -> float:
    return (now() - created_at).total_seconds()


def _count(statement: Select[int]) -> int:
    row = connection.fetch_one(statement)
    return 0 if row is None else int(row.jobs)
