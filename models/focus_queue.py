"""The queue of segments as a whole: its length and age, beside that of jobs in models.generation_queue."""

from sqlalchemy import ColumnElement, and_, bindparam, func, literal_column, select

from models.base import UTCDateTime, now
from models.db import connection
from models.focus_tables import focus_sessions
from models.generation_queue import QueueState

_row = focus_sessions.c
# SQLite uses a partial index only where its condition stands in the statement, as a text.
_IS_ACTIVE: ColumnElement[bool] = literal_column("focus_sessions.status = 'active'")
_IS_DUE = and_(_row.worker_id.is_(None), _row.due_at <= bindparam("now", type_=UTCDateTime()))

STATE = select(
    func.count().filter(_IS_DUE).label("queued"),
    func.count(_row.worker_id).label("running"),
    func.min(_row.due_at).filter(_IS_DUE).label("oldest"),
).where(_IS_ACTIVE)


def state() -> QueueState:
    """The segments that are due and those at work, now. Raises Unavailable."""
    moment = now()
    [row] = connection.fetch_all(STATE, now=moment)
    return QueueState(row.queued, row.running, 0.0 if row.oldest is None else (moment - row.oldest).total_seconds())
