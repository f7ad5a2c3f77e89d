"""The end of focus sessions that nobody plays, and of the rows of old ones."""

from datetime import timedelta

from sqlalchemy import ColumnElement, bindparam, delete, literal_column, select, update

from models import focus_audio
from models import focus_sessions as sessions
from models.base import now
from models.db import connection
from models.focus_queries import END_ACTIVE
from models.focus_tables import focus_sessions
from models.retention import batch_end, delete_before

BATCH = 500

_row = focus_sessions.c
# SQLite uses a partial index only where its condition stands in the statement, as a text.
_IS_ACTIVE: ColumnElement[bool] = literal_column("focus_sessions.status = 'active'")

ABANDONED = (
    select(_row.organization_id, _row.user_id, _row.id)
    .where(_IS_ACTIVE, _row.seen_at < bindparam("before"))
    .limit(BATCH)
)
END_ABANDONED = (
    update(focus_sessions)
    .where(
        _row.organization_id == bindparam("organization"),
        _row.id == bindparam("session"),
        _IS_ACTIVE,
        _row.seen_at < bindparam("before"),
    )
    .values(status="ended", ended_at=bindparam("now"), worker_id=None, taken_at=None)
)

BATCH_END = batch_end(_row.ended_at)
DELETE_BATCH_ROWS = delete(focus_sessions).where(_row.ended_at < bindparam("before"))


def end_abandoned(after: timedelta) -> int:
    """Ends the sessions without a sign of life for so long; returns their number. Raises Unavailable."""
    before, ended = now() - after, 0
    while rows := connection.fetch_all(ABANDONED, before=before):
        for row in rows:
            ended += _end(row.organization_id, row.user_id, row.id, before)
    return ended


@connection.transaction
def _end(organization_id: str, user_id: str, session_id: str, before: object) -> int:
    it = {"organization": organization_id, "session": session_id}
    ended = connection.execute(END_ABANDONED, **it, before=before, now=now())
    if ended:
        sessions.release(organization_id, user_id, [session_id])
    return ended


def end_all() -> int:
    """Ends every active session and forgets all audio of sessions, which is in no backup; returns how many ended."""
    ended = end_abandoned(timedelta(0))
    for _ in focus_audio.forget_ended(now()):
        continue  # what no row names is removed by the maintenance
    return ended


@connection.transaction
def end_all_of(organization_id: str, user_id: str) -> int:
    """Ends the active session of a user in an organization, if there is one; returns how many ended."""
    rows = connection.fetch_all(END_ACTIVE, organization=organization_id, user=user_id, now=now())
    sessions.release(organization_id, user_id, [row.id for row in rows])
    return len(rows)


def delete_ended(older_than_days: float) -> int:
    """Deletes the sessions, with their prompts, that ended so long ago; returns their number. Raises Unavailable."""
    return delete_before(BATCH_END, DELETE_BATCH_ROWS, now() - timedelta(days=older_than_days))
