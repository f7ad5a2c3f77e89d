"""Which audio of the store the segments of focus sessions name, and what ended sessions still hold."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import bindparam, func, null, select, update

from models.base import BIGINT, now
from models.db import connection
from models.focus_tables import focus_segments, focus_sessions

BATCH = 500

_session, _segment = focus_sessions.c, focus_segments.c
_HAS_AUDIO = _segment.audio_name.is_not(None)
_IS_OF_SESSION = (
    _segment.organization_id == bindparam("organization"),
    _segment.session_id == bindparam("session"),
)

USED = select(func.coalesce(func.sum(_segment.audio_bytes, type_=BIGINT), 0).label("used")).where(
    _segment.organization_id == bindparam("organization"), _HAS_AUDIO
)

NAMED = select(_segment.audio_name).where(
    _segment.organization_id == bindparam("organization"), _segment.audio_name.in_(bindparam("names", expanding=True))
)

# All organizations, for the maintenance.
UNPURGED = (
    select(_session.organization_id, _session.id)
    .where(_session.ended_at.is_not(None), _session.purged_at.is_(None), _session.ended_at < bindparam("before"))
    .order_by(_session.ended_at)
    .limit(BATCH)
)
NAMES = select(_segment.audio_name).where(*_IS_OF_SESSION, _HAS_AUDIO)
FORGET = update(focus_segments).where(*_IS_OF_SESSION).values(audio_name=null(), audio_bytes=null(), mime_type=null())
PURGE = (
    update(focus_sessions)
    .where(_session.organization_id == bindparam("organization"), _session.id == bindparam("session"))
    .values(purged_at=bindparam("now"))
)


def used_bytes(organization_id: str) -> int:
    """The bytes of audio that the segments of the organization have in the store."""
    row = connection.fetch_one(USED, organization=organization_id)
    return 0 if row is None else int(row.used)


def named(organization_id: str, names: Sequence[str]) -> set[str]:
    """Those of the names of objects that a segment of the organization names."""
    return {row.audio_name for row in connection.fetch_all(NAMED, organization=organization_id, names=names)}


def forget_ended(before: datetime) -> Iterator[str]:
    """Forgets the audio of sessions that ended before then; yields the names, for their removal."""
    while rows := connection.fetch_all(UNPURGED, before=before):
        for row in rows:
            yield from _forget(row.organization_id, row.id)


@connection.transaction
def _forget(organization_id: str, session_id: str) -> list[str]:
    it = {"organization": organization_id, "session": session_id}
    names = [row.audio_name for row in connection.fetch_all(NAMES, **it)]
    connection.execute(FORGET, **it)
    connection.execute(PURGE, **it, now=now())
    return names
