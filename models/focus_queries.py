"""Row types of the focus sessions and their segments, and the statements of requests on them."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    Integer,
    Text,
    and_,
    bindparam,
    delete,
    or_,
    select,
    update,
)

from models.focus_tables import focus_segments, focus_sessions
from models.schema import memberships
from models.upsert import insert_or_ignore


class Session(NamedTuple):
    """Music that goes on. `segment_cents` is what one segment costs, in hundredths of a Swiss franc."""

    organization_id: str
    id: str
    user_id: str
    status: str
    goal: str
    engine: str
    custom_prompt: str | None
    intensity: str
    divergence_percent: int
    target_minutes: int
    segment_seconds: int
    segment_cents: int
    total_segments: int
    next_index: int
    seed: int
    idempotency_key: str | None
    fingerprint: bytes
    due_at: datetime | None
    attempt: int
    worker_id: str | None
    taken_at: datetime | None
    seen_at: datetime
    created_at: datetime
    ended_at: datetime | None
    purged_at: datetime | None

    @property
    def more_pending(self) -> bool:
        return self.status == "active" and self.next_index < self.total_segments

    @property
    def ready_count(self) -> int:
        """How many segments have audio: they are made in order, and lose it together."""
        return self.next_index if self.purged_at is None else 0


class Segment(NamedTuple):
    """A segment that can be played."""

    organization_id: str
    session_id: str
    segment_index: int
    duration_ms: int
    fade_ms: int
    audio_name: str
    audio_bytes: int
    mime_type: str

    @property
    def id(self) -> str:
        """The name of its file, without the extension."""
        return segment_id(self.session_id, self.segment_index)


def segment_id(session_id: str, index: int) -> str:
    """The name of the file of a segment, without the extension."""
    return f"{session_id}-{index}"


COLUMNS = [focus_sessions.c[name] for name in Session._fields]
_session, _segment = focus_sessions.c, focus_segments.c

IS_OWN = and_(_session.organization_id == bindparam("organization"), _session.user_id == bindparam("user"))
IS_IT = and_(IS_OWN, _session.id == bindparam("session"))

# NULL means any status; PostgreSQL needs the type of the NULL.
_STATUS = bindparam("wanted_status", type_=Text())

LIST = (
    select(*COLUMNS)
    .where(IS_OWN, or_(_STATUS.is_(None), _session.status == _STATUS))
    .order_by(_session.created_at.desc(), _session.id.desc())
    .limit(bindparam("limit", type_=Integer()))
    .offset(bindparam("offset", type_=Integer()))
)

FIND = select(*COLUMNS).where(IS_IT)

FIND_BY_KEY = select(*COLUMNS).where(IS_OWN, _session.idempotency_key == bindparam("key"))

INSERT = (
    insert_or_ignore(focus_sessions).values({name: bindparam(name) for name in Session._fields}).returning(*COLUMNS)
)

END = (
    update(focus_sessions)
    .where(IS_IT, _session.status == "active")
    .values(status="ended", ended_at=bindparam("now"), worker_id=None, taken_at=None)
    .returning(*COLUMNS)
)

# What starts a session waits here for another request of the same caller that does.
LOCK_CALLER = (
    select(memberships.c.user_id)
    .where(memberships.c.organization_id == bindparam("organization"), memberships.c.user_id == bindparam("user"))
    .with_for_update(key_share=True)
)

END_ACTIVE = (
    update(focus_sessions)
    .where(IS_OWN, _session.status == "active")
    .values(status="ended", ended_at=bindparam("now"), worker_id=None, taken_at=None)
    .returning(_session.id)
)

NOTE_SEEN = update(focus_sessions).where(IS_IT, _session.status == "active").values(seen_at=bindparam("now"))

_SEGMENT_COLUMNS = [_segment[name] for name in Segment._fields]
_IS_OF_SESSION = and_(
    _segment.organization_id == bindparam("organization"),
    _segment.user_id == bindparam("user"),
    _segment.session_id == bindparam("session"),
)

SEGMENTS = (
    select(*_SEGMENT_COLUMNS).where(_IS_OF_SESSION, _segment.audio_name.is_not(None)).order_by(_segment.segment_index)
)

RESERVE = (
    insert_or_ignore(focus_segments)
    .values(
        organization_id=bindparam("organization"),
        session_id=bindparam("session"),
        segment_index=bindparam("index"),
        user_id=bindparam("user"),
        engine=bindparam("engine"),
        cost_cents=bindparam("cost"),
        seconds=bindparam("seconds"),
        reserved_at=bindparam("now"),
    )
    .returning(_segment.segment_index)
)

# A segment that was begun and will not be made.
RELEASE = (
    delete(focus_segments)
    .where(_IS_OF_SESSION, _segment.made_at.is_(None))
    .returning(_segment.cost_cents, _segment.reserved_at)
)

# Whoever has the seal of a segment may play it.
PLAYABLE = select(*_SEGMENT_COLUMNS).where(
    _segment.organization_id == bindparam("organization"),
    _segment.session_id == bindparam("session"),
    _segment.segment_index == bindparam("index", type_=Integer()),
    _segment.audio_name.is_not(None),
)
