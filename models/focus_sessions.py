"""Focus sessions as their callers see them; models.focus_work is the worker's side."""

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from models import money, spending, track_audio
from models.access import Caller, require_membership
from models.base import ID_TRIES, new_id, now
from models.db import connection
from models.exceptions import NotFound, StorageFull
from models.focus_queries import (
    END,
    END_ACTIVE,
    FIND,
    FIND_BY_KEY,
    INSERT,
    LIST,
    LOCK_CALLER,
    NOTE_SEEN,
    PLAYABLE,
    RELEASE,
    RESERVE,
    SEGMENTS,
    Segment,
    Session,
)
from models.idempotency import require_same_request

__all__ = ["Segment", "Session", "end", "get", "list_page", "note_seen", "of_key", "playable", "segments", "start"]

SEGMENT_SECONDS = 120
AHEAD = 5
"""How many segments may be made beyond the time that has passed."""
MAKING_SECONDS = 15
"""About how long a worker needs for a segment."""
SEEN_SECONDS = 60
"""How often a sign of life is written at most."""
# Signed 64 bits, and exact in JSON of every language.
_SEED_BITS = 53


class Wish(NamedTuple):
    """What a caller asks for. `fingerprint` is the SHA-256 digest of the request, without its key."""

    goal: str
    engine: str
    custom_prompt: str | None
    intensity: str
    divergence_percent: int
    target_minutes: int
    idempotency_key: str | None
    fingerprint: bytes
    segment_seconds: int = SEGMENT_SECONDS


class Seen(NamedTuple):
    """A sign of life of a session."""

    organization_id: str
    user_id: str
    session_id: str


def of_key(caller: Caller, organization_id: str, key: str | None, fingerprint: bytes) -> Session | None:
    """The session that the key was used for, or None.

    Raises AccessDenied, and IdempotencyKeyReused if it was used with another request.
    """
    require_membership(caller, organization_id)
    if key is None:
        return None
    row = connection.fetch_one(FIND_BY_KEY, organization=organization_id, user=caller.user_id, key=key)
    if row is None:
        return None
    require_same_request(row.fingerprint, fingerprint)
    return Session._make(row)


@connection.transaction
def start(
    caller: Caller, organization_id: str, wish: Wish, cents_per_minute: int, audio_mib: int = 0
) -> tuple[Session, bool]:
    """An active session with its first segment reserved, and whether it is new; the caller's other one is ended.

    It is old if a parallel request used the key first. Raises AccessDenied, IdempotencyKeyReused, StorageFull,
    SpendLimitExceeded.
    """
    own = {"organization": organization_id, "user": caller.user_id}
    connection.fetch_one(LOCK_CALLER, **own)
    found = of_key(caller, organization_id, wish.idempotency_key, wish.fingerprint)
    if found is not None:
        return found, False
    if not track_audio.has_room(organization_id, 1, audio_mib):
        raise StorageFull("The audio of this organization has reached its limit")
    ended = connection.fetch_all(END_ACTIVE, **own, now=now())
    session = _insert(_fields(caller, organization_id, wish, money.cost(wish.segment_seconds, cents_per_minute)))
    spending.begin_count(organization_id, caller.user_id)
    release(organization_id, caller.user_id, [row.id for row in ended])
    reserve(session)
    return session, True


def get(caller: Caller, organization_id: str, session_id: str) -> Session:
    """One session of the caller. Raises NotFound."""
    row = connection.fetch_one(FIND, **_owner_binds(caller, organization_id, session_id))
    if row is None:
        raise _not_found(session_id)
    return Session._make(row)


def list_page(caller: Caller, organization_id: str, status: str | None, limit: int, offset: int) -> list[Session]:
    """A page of the caller's sessions, newest first. Raises AccessDenied."""
    require_membership(caller, organization_id)
    own = {"organization": organization_id, "user": caller.user_id}
    rows = connection.fetch_all(LIST, **own, wanted_status=status, limit=limit, offset=offset)
    return [Session._make(row) for row in rows]


@connection.transaction
def end(caller: Caller, organization_id: str, session_id: str) -> Session:
    """The session, ended, with what was only begun given back; one that has ended stays as it is. Raises NotFound."""
    row = connection.fetch_one(END, **_owner_binds(caller, organization_id, session_id), now=now())
    if row is None:
        return get(caller, organization_id, session_id)
    release(organization_id, caller.user_id, [session_id])
    return Session._make(row)


def segments(session: Session) -> list[Segment]:
    """The segments that can be played, in order."""
    own = {"organization": session.organization_id, "user": session.user_id, "session": session.id}
    return [Segment._make(row) for row in connection.fetch_all(SEGMENTS, **own)]


def playable(organization_id: str, segment_id: str) -> Segment | None:
    """The segment with that file name, if it has audio; for whoever has a seal of it."""
    session_id, _, index = segment_id.rpartition("-")
    row = connection.fetch_one(PLAYABLE, organization=organization_id, session=session_id, index=int(index))
    return None if row is None else Segment._make(row)


def note_seen(seen: Iterable[Seen]) -> None:
    """Writes signs of life."""
    moment = now()
    rows = [
        {"organization": one.organization_id, "user": one.user_id, "session": one.session_id, "now": moment}
        for one in sorted(seen)
    ]
    connection.transaction(lambda: connection.execute_many(NOTE_SEEN, rows))()


def due_at(session: Session, index: int) -> datetime | None:
    """When the segment may be begun; None if the session has no such segment."""
    if index >= session.total_segments:
        return None
    return session.created_at + timedelta(seconds=session.segment_seconds * max(0, index + 1 - AHEAD))


def next_ready_at(session: Session, moment: datetime) -> datetime | None:
    """About when the next segment is ready, in the future; None if none follows."""
    if not session.more_pending or session.due_at is None:
        return None
    begun = session.taken_at or max(session.due_at, moment)
    return max(begun + timedelta(seconds=MAKING_SECONDS), moment + timedelta(seconds=1))


def reserve(session: Session) -> None:
    """Reserves the next segment, unless that is done already. In an open transaction. Raises SpendLimitExceeded."""
    moment = now()
    row = connection.fetch_one(
        RESERVE,
        organization=session.organization_id,
        session=session.id,
        index=session.next_index,
        user=session.user_id,
        engine=session.engine,
        cost=session.segment_cents,
        seconds=session.segment_seconds,
        now=moment,
    )
    if row is not None:
        spending.reserve(session.organization_id, session.segment_cents, moment)


def release(organization_id: str, user_id: str, session_ids: Sequence[str]) -> None:
    """Gives back what sessions that have ended had reserved and not made. In an open transaction."""
    for session_id in session_ids:
        for row in connection.fetch_all(RELEASE, organization=organization_id, user=user_id, session=session_id):
            spending.give_back(organization_id, row.cost_cents, row.reserved_at)


def _insert(fields: dict[str, object]) -> Session:
    for _ in range(ID_TRIES):
        row = connection.fetch_one(INSERT, **fields | {"id": new_id("mfocus_")})
        if row is not None:
            return Session._make(row)
    raise RuntimeError("No free id was found for a focus session.")


def _fields(caller: Caller, organization_id: str, wish: Wish, segment_cents: int) -> dict[str, object]:
    moment = now()
    return (
        dict.fromkeys(Session._fields)
        | wish._asdict()
        | {
            "organization_id": organization_id,
            "user_id": caller.user_id,
            "status": "active",
            "segment_cents": segment_cents,
            "total_segments": -(-wish.target_minutes * 60 // wish.segment_seconds),
            "next_index": 0,
            "seed": secrets.randbits(_SEED_BITS),
            "due_at": moment,
            "attempt": 0,
            "seen_at": moment,
            "created_at": moment,
        }
    )


def _owner_binds(caller: Caller, organization_id: str, session_id: str) -> dict[str, object]:
    """The binds that restrict a statement to the caller's rows. Raises NotFound outside the caller's organizations."""
    if organization_id not in caller.organizations:
        raise _not_found(session_id)
    return {"organization": organization_id, "user": caller.user_id, "session": session_id}


def _not_found(session_id: str) -> NotFound:
    """The error for a missing session and for one of another user: the same for both."""
    return NotFound("Focus session not found or not owned by caller", session_id=session_id)
