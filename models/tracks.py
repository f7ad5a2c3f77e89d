"""Tracks of an organization, imported by the command line."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    bindparam,
    select,
)

from models.base import ID_TRIES, insert_or_ignore, new_id, now
from models.db import connection
from models.schema import tracks


class Track(NamedTuple):
    """A piece of music; `duration_ms` is the measured duration in milliseconds, or None if it is unknown."""

    organization_id: str
    id: str
    creator_id: str
    title: str
    engine: str | None
    mode: str | None
    duration_ms: int | None
    instrumental: bool
    licence_class: str
    source_digest: bytes | None
    created_at: datetime


_COLUMNS = [tracks.c[name] for name in Track._fields]

INSERT = insert_or_ignore(tracks).values({name: bindparam(name) for name in Track._fields}).returning(*_COLUMNS)

EXISTS = select(tracks.c.id).where(
    tracks.c.organization_id == bindparam("organization_id"), tracks.c.id == bindparam("track_id")
)

WITH_DIGEST = select(tracks.c.id).where(
    tracks.c.organization_id == bindparam("organization_id"), tracks.c.source_digest == bindparam("source_digest")
)

LIST = (
    select(*_COLUMNS)
    .where(tracks.c.organization_id == bindparam("organization_id"))
    .order_by(tracks.c.created_at, tracks.c.id)
)


def add(
    organization_id: str,
    creator_id: str,
    *,
    title: str,
    duration_ms: int | None = None,
    source_digest: bytes | None = None,
    engine: str | None = None,
    mode: str | None = None,
    instrumental: bool = False,
    licence_class: str = "unspecified",
) -> Track | None:
    """Adds a track; None if the organization already has a track with this SHA-256 digest of the audio."""
    for _ in range(ID_TRIES):
        row = connection.fetch_one(
            INSERT,
            organization_id=organization_id,
            id=new_id("mtrack_"),
            creator_id=creator_id,
            title=title,
            engine=engine,
            mode=mode,
            duration_ms=duration_ms,
            instrumental=instrumental,
            licence_class=licence_class,
            source_digest=source_digest,
            created_at=now(),
        )
        if row is not None:
            return Track._make(row)
        if _has_digest(organization_id, source_digest):
            return None
    raise RuntimeError("No free id was found for a track.")


def exists(organization_id: str, track_id: str) -> bool:
    """Whether the organization has this track."""
    return connection.fetch_one(EXISTS, organization_id=organization_id, track_id=track_id) is not None


def list_all(organization_id: str) -> list[Track]:
    """Every track of the organization, oldest first."""
    return [Track._make(row) for row in connection.fetch_all(LIST, organization_id=organization_id)]


def _has_digest(organization_id: str, source_digest: bytes | None) -> bool:
    if source_digest is None:
        return False
    return connection.fetch_one(WITH_DIGEST, organization_id=organization_id, source_digest=source_digest) is not None
