"""Row type and statements of the table `tracks`."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Text, and_, bindparam, null, select, update

from models.schema import library_entries, tracks
from models.upsert import insert_or_ignore


class Track(NamedTuple):
    """A piece of music.

    `duration_ms` is the measured duration in milliseconds, or None. `audio_name` names the audio in the store, with its
    size in bytes and its media type; all three are None where there is no audio. `source_digest` is the SHA-256 digest
    of the imported file, or None. `deleted_at` is None except in maintenance.
    """

    organization_id: str
    id: str
    creator_id: str
    title: str | None
    engine: str
    mode: str
    duration_ms: int | None
    instrumental: bool
    licence_class: str
    commercial_use: bool
    requires_attribution: bool
    source_digest: bytes | None
    audio_name: str | None
    audio_bytes: int | None
    mime_type: str | None
    created_at: datetime
    deleted_at: datetime | None


COLUMNS = [tracks.c[name] for name in Track._fields]

_IN_ORGANIZATION = tracks.c.organization_id == bindparam("organization")
_IS_LIVE = tracks.c.deleted_at.is_(None)


def is_audible(track_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the row of `tracks` is that track of the organization, and the owner may hear it.

    Its creator may, and whoever has it in the library; nobody may hear a deleted one. Two indexes with the owner in
    them are asked first, so that the row of somebody else's track is never read: that would take time.
    """
    made = tracks.alias("made")
    is_own = select(made.c.id).where(
        made.c.organization_id == bindparam("organization"),
        made.c.creator_id == bindparam("owner"),
        made.c.id == track_id,
    )
    is_saved = select(library_entries.c.track_id).where(
        library_entries.c.organization_id == bindparam("organization"),
        library_entries.c.user_id == bindparam("owner"),
        library_entries.c.track_organization_id == bindparam("organization"),
        library_entries.c.track_id == track_id,
        library_entries.c.removed_at.is_(None),
    )
    heard = is_own.union_all(is_saved).limit(1).scalar_subquery()
    return and_(_IN_ORGANIZATION, tracks.c.id == heard, _IS_LIVE)


_TRACK: BindParameter[str] = bindparam("track", type_=Text())

INSERT = (
    insert_or_ignore(tracks)
    .values({name: bindparam(name) for name in (*Track._fields, "waveform")})
    .returning(*COLUMNS)
)

FIND = select(*COLUMNS).where(is_audible(_TRACK))

# The deletion of the track waits until the transaction ends.
LOCK = FIND.with_for_update(read=True)

FIND_ANY = select(*COLUMNS).where(_IN_ORGANIZATION, tracks.c.id == _TRACK, _IS_LIVE)

LOCK_ANY = FIND_ANY.with_for_update(read=True)

FIND_ALL = select(*COLUMNS).where(_IN_ORGANIZATION, tracks.c.id.in_(bindparam("track_ids", expanding=True)), _IS_LIVE)

# Apart from the other columns: only pages show them.
WAVEFORMS = select(tracks.c.id, tracks.c.waveform).where(
    _IN_ORGANIZATION, tracks.c.id.in_(bindparam("track_ids", expanding=True)), tracks.c.waveform.is_not(None)
)

WITH_DIGEST = select(*COLUMNS).where(_IN_ORGANIZATION, tracks.c.source_digest == bindparam("digest"), _IS_LIVE)

_FORMER: BindParameter[str | None] = bindparam("former", type_=Text())

ATTACH_AUDIO = (
    update(tracks)
    .where(_IN_ORGANIZATION, tracks.c.id == _TRACK, _IS_LIVE, tracks.c.audio_name.is_not_distinct_from(_FORMER))
    .values(
        audio_name=bindparam("new_name"),
        audio_bytes=bindparam("new_bytes"),
        mime_type=bindparam("new_type"),
        duration_ms=bindparam("new_duration"),
        waveform=bindparam("new_waveform"),
    )
    .returning(*COLUMNS)
)

# Without its digest, the same audio can be imported anew.
DELETE = (
    update(tracks)
    .where(_IN_ORGANIZATION, tracks.c.id == _TRACK, tracks.c.creator_id == bindparam("owner"), _IS_LIVE)
    .values(deleted_at=bindparam("now"), source_digest=null())
    .returning(tracks.c.id)
)

LIST = select(*COLUMNS).where(_IN_ORGANIZATION, _IS_LIVE).order_by(tracks.c.created_at, tracks.c.id)
