"""Which audio of the store the tracks name, how much of it an organization has, and what deleted tracks still hold."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Text, bindparam, func, null, select, tuple_, update

from models import focus_audio
from models.audio import StoredAudio
from models.base import BIGINT, UTCDateTime, now
from models.db import connection
from models.schema import tracks

BATCH = 500
MIB = 1024 * 1024

_rows = tracks.c
_HAS_AUDIO = _rows.audio_name.is_not(None)

USED = select(func.coalesce(func.sum(_rows.audio_bytes, type_=BIGINT), 0).label("used")).where(
    _rows.organization_id == bindparam("organization"), _HAS_AUDIO
)

NAMED = select(_rows.audio_name).where(
    _rows.organization_id == bindparam("organization"), _rows.audio_name.in_(bindparam("names", expanding=True))
)

# All organizations, for commands.
LIVE = (
    select(_rows.organization_id, _rows.id, _rows.audio_name, _rows.audio_bytes, _rows.mime_type)
    .where(
        _HAS_AUDIO,
        _rows.deleted_at.is_(None),
        tuple_(_rows.organization_id, _rows.audio_name)
        > tuple_(bindparam("organization", type_=Text()), bindparam("name", type_=Text())),
    )
    .order_by(_rows.organization_id, _rows.audio_name)
    .limit(BATCH)
)

DELETED = (
    select(_rows.organization_id, _rows.id, _rows.audio_name, _rows.duration_ms, _rows.deleted_at)
    .where(
        _HAS_AUDIO,
        _rows.deleted_at.is_not(None),
        _rows.deleted_at < bindparam("before"),
        tuple_(_rows.deleted_at, _rows.organization_id, _rows.id)
        > tuple_(
            bindparam("after", type_=UTCDateTime()),
            bindparam("organization", type_=Text()),
            bindparam("track", type_=Text()),
        ),
    )
    .order_by(_rows.deleted_at, _rows.organization_id, _rows.id)
    .limit(BATCH)
)

FORGET = (
    update(tracks)
    .where(_rows.organization_id == bindparam("organization"), _rows.id == bindparam("track"))
    .values(audio_name=null(), audio_bytes=null(), mime_type=null())
)

LONG_AGO = datetime.fromisoformat("1970-01-01T00:00:00Z")


class TrackAudio(NamedTuple):
    """The audio that a track names."""

    organization_id: str
    track_id: str
    audio: StoredAudio


def used_bytes(organization_id: str) -> int:
    """The bytes of audio that the organization's tracks have in the store, with those deleted but not yet removed."""
    row = connection.fetch_one(USED, organization=organization_id)
    return 0 if row is None else int(row.used)


def has_room(organization_id: str, more_bytes: int, limit_mib: int) -> bool:
    """Whether the organization may have so many bytes of audio more, in tracks and segments; 0 MiB is no limit.

    Two writers that ask at the same time may pass the limit together, each by one file.
    """
    if not limit_mib:
        return True
    used = used_bytes(organization_id) + focus_audio.used_bytes(organization_id)
    return used + more_bytes <= limit_mib * MIB


def named(organization_id: str, names: Sequence[str]) -> set[str]:
    """Those of the names of objects that a track of the organization names, deleted or not."""
    return {row.audio_name for row in connection.fetch_all(NAMED, organization=organization_id, names=names)}


def list_live() -> Iterator[TrackAudio]:
    """The audio of all tracks that are not deleted, ordered by organization, read in batches."""
    after = ("", "")
    while rows := connection.fetch_all(LIVE, organization=after[0], name=after[1]):
        for row in rows:
            yield TrackAudio(row.organization_id, row.id, StoredAudio(row.audio_name, row.audio_bytes, row.mime_type))
        after = (rows[-1].organization_id, rows[-1].audio_name)


def forget_deleted(url_seconds: int) -> Iterator[str]:
    """Forgets the audio of each deleted track whose last URL has expired; yields its name, for its removal.

    A URL is valid for `url_seconds`, or for twice the duration of a longer track.
    """
    moment = now()
    before = moment - timedelta(seconds=url_seconds)
    after = (LONG_AGO, "", "")
    while rows := connection.fetch_all(DELETED, before=before, after=after[0], organization=after[1], track=after[2]):
        for row in rows:
            if row.deleted_at + timedelta(milliseconds=2 * (row.duration_ms or 0)) < moment:
                connection.execute(FORGET, organization=row.organization_id, track=row.id)
                yield row.audio_name
        after = (rows[-1].deleted_at, rows[-1].organization_id, rows[-1].id)
