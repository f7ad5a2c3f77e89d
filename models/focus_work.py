"""Focus sessions as a worker sees them: takes the next segment of one, ends it, or gives it back.

The worker has the session while it makes the segment. As for jobs, every write names the worker and its attempt, so a
worker that was taken over writes nothing; and the row of a segment, which is its charge, exists once.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Integer,
    bindparam,
    literal_column,
    select,
    update,
)

from models import focus_sessions as sessions
from models.audio import StoredAudio
from models.base import now
from models.db import connection
from models.exceptions import SpendLimitExceeded
from models.focus_queries import COLUMNS, Session, segment_id
from models.focus_tables import focus_segments, focus_sessions
from models.generation_tables import active_jobs
from models.generation_work import CANDIDATES, MAX_ATTEMPTS, SET_TURN, Lost

_row, _turn, _segment = focus_sessions.c, active_jobs.c, focus_segments.c
# SQLite uses a partial index only where its condition stands in the statement, as a text.
_IS_ACTIVE: ColumnElement[bool] = literal_column("focus_sessions.status = 'active'")
_IS_SESSION = (_row.organization_id == bindparam("organization"), _row.id == bindparam("session"), _IS_ACTIVE)
_IS_MINE = (
    *_IS_SESSION,
    _row.next_index == bindparam("index"),
    _row.attempt == bindparam("mine"),
    _row.worker_id == bindparam("worker"),
)
_IS_SEGMENT = (
    _segment.organization_id == bindparam("organization"),
    _segment.session_id == bindparam("session"),
    _segment.segment_index == bindparam("index"),
)

# A subquery and no join: a planner without statistics must not begin with the turns of all users.
_TAKEN_AT = (
    select(_turn.taken_at)
    .where(_turn.organization_id == _row.organization_id, _turn.user_id == _row.user_id)
    .scalar_subquery()
)
QUEUE = (
    select(_row.organization_id, _row.id, _row.user_id, _row.due_at, _TAKEN_AT.label("taken_at"))
    .where(_IS_ACTIVE, _row.worker_id.is_(None), _row.due_at <= bindparam("now"))
    .order_by(_row.due_at, _row.organization_id, _row.id)
    .limit(bindparam("count", type_=Integer()))
)
TAKE = (
    update(focus_sessions)
    .where(*_IS_SESSION, _row.worker_id.is_(None), _row.due_at <= bindparam("now"))
    .values(worker_id=bindparam("worker"), attempt=_row.attempt + 1, taken_at=bindparam("now"))
    .returning(*COLUMNS)
)
STOP = (
    update(focus_sessions)
    .where(*_IS_SESSION, _row.worker_id.is_(None))
    .values(status="stopped_cap", ended_at=bindparam("now"))
)
HOLDS = select(_row.id).where(*_IS_MINE)
ADVANCE = (
    update(focus_sessions)
    .where(*_IS_MINE)
    .values(next_index=_row.next_index + 1, due_at=bindparam("next_due"), attempt=0, worker_id=None, taken_at=None)
)
SET_AUDIO = (
    update(focus_segments)
    .where(*_IS_SEGMENT)
    .values(
        made_at=bindparam("now"),
        duration_ms=bindparam("new_duration"),
        fade_ms=bindparam("new_fade"),
        audio_name=bindparam("new_name"),
        audio_bytes=bindparam("new_bytes"),
        mime_type=bindparam("new_type"),
    )
)
REQUEUE = (
    update(focus_sessions)
    .where(*_IS_MINE)
    .values(attempt=_row.attempt - bindparam("uncounted", type_=Integer()), worker_id=None, taken_at=None)
)
END = (
    update(focus_sessions)
    .where(*_IS_MINE)
    .values(status="ended", ended_at=bindparam("now"), worker_id=None, taken_at=None)
)
MADE = select(_segment.session_id).where(*_IS_SEGMENT, _segment.audio_name == bindparam("name"))
HELD_BY = select(*COLUMNS).where(_IS_ACTIVE, _row.worker_id == bindparam("worker"))
HOLDERS = select(_row.worker_id).where(_IS_ACTIVE, _row.worker_id.is_not(None))


class SegmentWork(NamedTuple):
    """A segment that a worker has taken. Nobody else has this `attempt` of it."""

    session: Session

    @property
    def organization_id(self) -> str:
        return self.session.organization_id

    @property
    def id(self) -> str:
        """The name of its file, without the extension."""
        return segment_id(self.session.id, self.session.next_index)

    @property
    def engine(self) -> str:
        return self.session.engine

    @property
    def attempt(self) -> int:
        return self.session.attempt


def waiting(moment: datetime) -> Sequence[Any]:
    """The sessions whose next segment may be begun now, with the turns of their callers."""
    return connection.fetch_all(QUEUE, count=CANDIDATES, now=moment)


def take(organization_id: str, session_id: str, worker_id: str) -> SegmentWork | None:
    """The next segment of a session, reserved.

    None if another worker was faster, the session has ended, or its organization has spent what it may: then it is
    stopped.
    """
    try:
        return _take(organization_id, session_id, worker_id)
    except SpendLimitExceeded:
        connection.execute(STOP, organization=organization_id, session=session_id, now=now())
        return None


@connection.transaction
def _take(organization_id: str, session_id: str, worker_id: str) -> SegmentWork | None:
    row = connection.fetch_one(TAKE, organization=organization_id, session=session_id, worker=worker_id, now=now())
    if row is None:
        return None
    session = Session._make(row)
    connection.execute(SET_TURN, organization=organization_id, user=session.user_id, now=now())
    sessions.reserve(session)
    return SegmentWork(session)


def require_held(work: SegmentWork) -> None:
    """Raises Lost unless the session is active and still this worker's."""
    if connection.fetch_one(HOLDS, **_mine(work)) is None:
        raise Lost


@connection.transaction
def succeed(work: SegmentWork, audio: StoredAudio, duration_ms: int, fade_ms: int) -> None:
    """Ends the segment with its audio. Raises Lost; then no row names the audio."""
    session = work.session
    next_due = sessions.due_at(session, session.next_index + 1)
    if not connection.execute(ADVANCE, **_mine(work), next_due=next_due):
        raise Lost
    connection.execute(
        SET_AUDIO,
        **_place(work),
        now=now(),
        new_duration=duration_ms,
        new_fade=fade_ms,
        new_name=audio.name,
        new_bytes=audio.size,
        new_type=audio.mime_type,
    )


def has_made(work: SegmentWork, audio_name: str) -> bool:
    """Whether the segment has this audio."""
    return connection.fetch_one(MADE, **_place(work), name=audio_name) is not None


def give_back(work: SegmentWork) -> None:
    """Lets another worker make the segment, as if it had not been taken; its caller is next. Raises Lost."""
    _requeue(work, uncounted=1)


def retry(work: SegmentWork) -> None:
    """Lets the segment be made again after an attempt that failed; the third one ends the session. Raises Lost."""
    if work.attempt >= MAX_ATTEMPTS:
        end(work)
    else:
        _requeue(work, uncounted=0)


@connection.transaction
def end(work: SegmentWork) -> None:
    """Ends the session, and gives back the segment. Raises Lost."""
    if not connection.execute(END, **_mine(work), now=now()):
        raise Lost
    sessions.release(work.organization_id, work.session.user_id, [work.session.id])


def held_by(worker_id: str) -> list[SegmentWork]:
    """The segments that a worker makes."""
    return [SegmentWork(Session._make(row)) for row in connection.fetch_all(HELD_BY, worker=worker_id)]


def holders() -> set[str]:
    """The ids of the workers that make a segment."""
    return {row.worker_id for row in connection.fetch_all(HOLDERS)}


@connection.transaction
def _requeue(work: SegmentWork, *, uncounted: int) -> None:
    if not connection.execute(REQUEUE, **_mine(work), uncounted=uncounted):
        raise Lost
    connection.execute(SET_TURN, organization=work.organization_id, user=work.session.user_id, now=None)


def _mine(work: SegmentWork) -> dict[str, object]:
    return _place(work) | {"mine": work.attempt, "worker": work.session.worker_id}


def _place(work: SegmentWork) -> dict[str, object]:
    session = work.session
    return {"organization": session.organization_id, "session": session.id, "index": session.next_index}
