"""Tracks of an organization; each is heard by its creator and by whoever has saved it."""

from collections.abc import Sequence

from sqlalchemy import Executable

from models.access import Caller
from models.base import ID_TRIES, new_id, now
from models.db import connection
from models.exceptions import NotCreator, NotFound
from models.library_queries import ELSEWHERE, REMOVE_ALL
from models.schema import tracks
from models.track_queries import (
    ATTACH_AUDIO,
    DELETE,
    FIND,
    FIND_ALL,
    FIND_ANY,
    INSERT,
    LIST,
    LOCK,
    LOCK_ANY,
    WAVEFORMS,
    WITH_DIGEST,
    Track,
)

__all__ = [
    "Track",
    "add",
    "attach_audio",
    "delete",
    "find",
    "find_all",
    "get",
    "is_audible",
    "list_all",
    "lock",
    "lock_any",
    "new_track_id",
    "not_found",
    "tracks",
    "waveforms",
    "with_digest",
]


def add(
    organization_id: str,
    creator_id: str,
    *,
    title: str | None,
    duration_ms: int | None = None,
    source_digest: bytes | None = None,
    engine: str = "import",
    mode: str = "creation",
    instrumental: bool = False,
    licence_class: str = "unclear",
    commercial_use: bool = False,
    requires_attribution: bool = True,
    audio: tuple[str, int, str] | None = None,
    waveform: bytes | None = None,
    track_id: str | None = None,
) -> Track | None:
    """Adds a track; None if the organization already has a live track with this SHA-256 digest of the audio.

    `audio` is the name in the store, the size in bytes and the media type, as audio_store.StoredAudio has them; what is
    stored before has a name with the `track_id`, a new_track_id(). `waveform` is the level of each of its 96 equal
    parts, from 0 to 255. The track is in no library: see library.put.
    """
    audio_name, audio_bytes, mime_type = audio or (None, None, None)
    values = {
        "organization_id": organization_id, "creator_id": creator_id, "title": title, "duration_ms": duration_ms,
        "engine": engine, "mode": mode, "instrumental": instrumental, "licence_class": licence_class,
        "commercial_use": commercial_use, "requires_attribution": requires_attribution, "source_digest": source_digest,
        "audio_name": audio_name, "audio_bytes": audio_bytes, "mime_type": mime_type, "created_at": now(),
        "deleted_at": None, "waveform": waveform,
    }  # fmt: skip
    for _ in range(ID_TRIES):
        row = connection.fetch_one(INSERT, **values, id=track_id or new_track_id())
        if row is not None:
            return Track._make(row)
        if source_digest is not None and with_digest(organization_id, source_digest) is not None:
            return None
    raise RuntimeError("No free id was found for a track.")


def new_track_id() -> str:
    """The id of a track whose audio is stored before the track is added."""
    return new_id("mtrack_")


@connection.transaction
def attach_audio(
    track: Track, audio: tuple[str, int, str], duration_ms: int, waveform: bytes | None = None
) -> Track | None:
    """Gives a track audio in the place of that which it names, or of none; None if it has changed meanwhile."""
    audio_name, audio_bytes, mime_type = audio
    row = connection.fetch_one(
        ATTACH_AUDIO,
        organization=track.organization_id,
        track=track.id,
        former=track.audio_name,
        new_name=audio_name,
        new_bytes=audio_bytes,
        new_type=mime_type,
        new_duration=duration_ms,
        new_waveform=waveform,
    )
    return None if row is None else Track._make(row)


def get(caller: Caller, organization_id: str, track_id: str) -> Track:
    """A track that the caller may hear, of this organization or saved from another one. Raises NotFound."""
    return _find(caller, organization_id, track_id, FIND, FIND_ANY)


def lock(caller: Caller, organization_id: str, track_id: str) -> Track:
    """The same track; its deletion waits until the transaction ends. Raises NotFound."""
    return _find(caller, organization_id, track_id, LOCK, LOCK_ANY)


def lock_any(organization_id: str, track_id: str) -> Track | None:
    """A track that is not deleted; its deletion waits until the transaction ends. Does not ask who may hear it."""
    row = connection.fetch_one(LOCK_ANY, organization=organization_id, track=track_id)
    return None if row is None else Track._make(row)


def is_audible(caller: Caller, organization_id: str, track_id: str) -> bool:
    """Whether this is a track of this organization that the caller may hear."""
    return connection.fetch_one(FIND, **_binds(caller, organization_id, track_id)) is not None


@connection.transaction
def delete(caller: Caller, organization_id: str, track_id: str) -> None:
    """Deletes the caller's own track for everybody; collections keep its id. Raises NotFound, then NotCreator."""
    binds = _binds(caller, organization_id, track_id)
    is_member = organization_id in caller.organizations
    if not is_member or connection.fetch_one(DELETE, **binds, now=now()) is None:
        get(caller, organization_id, track_id)
        raise NotCreator("Only the creator of a track may delete it", track_id=track_id)
    connection.execute(REMOVE_ALL, track_organization=organization_id, track=track_id, now=now())


def find(organization_id: str, track_id: str) -> Track | None:
    """The track of the organization with this id, unless it is deleted. Does not ask who may hear it."""
    row = connection.fetch_one(FIND_ANY, organization=organization_id, track=track_id)
    return None if row is None else Track._make(row)


def find_all(organization_id: str, track_ids: Sequence[str]) -> dict[str, Track]:
    """The tracks of the organization that have these ids and are not deleted, by id."""
    rows = connection.fetch_all(FIND_ALL, organization=organization_id, track_ids=track_ids)
    return {row.id: Track._make(row) for row in rows}


def waveforms(organization_id: str, track_ids: Sequence[str]) -> dict[str, bytes]:
    """The waveforms of those of these tracks that have one, by id."""
    rows = connection.fetch_all(WAVEFORMS, organization=organization_id, track_ids=track_ids)
    return {row.id: bytes(row.waveform) for row in rows}


def with_digest(organization_id: str, source_digest: bytes) -> Track | None:
    """The track of the organization that was imported from the file with this SHA-256 digest, unless it is deleted."""
    row = connection.fetch_one(WITH_DIGEST, organization=organization_id, digest=source_digest)
    return None if row is None else Track._make(row)


def list_all(organization_id: str) -> list[Track]:
    """Every track of the organization, oldest first."""
    return [Track._make(row) for row in connection.fetch_all(LIST, organization=organization_id)]


def not_found(track_id: str) -> NotFound:
    """The error for a missing track and for one that the caller may not hear: the same for both."""
    return NotFound("Track not found or not available to the caller", track_id=track_id)


def _find(caller: Caller, organization_id: str, track_id: str, own: Executable, any_: Executable) -> Track:
    """The track by the statement for the organization's own ones, or for the one that an entry names elsewhere."""
    if organization_id not in caller.organizations:
        raise not_found(track_id)
    binds = _binds(caller, organization_id, track_id)
    row = connection.fetch_one(own, **binds)
    if row is None:
        elsewhere = connection.fetch_all(ELSEWHERE, **binds)
        found = (
            connection.fetch_one(any_, organization=one.track_organization_id, track=track_id) for one in elsewhere
        )
        row = next(filter(None, found), None)
    if row is None:
        raise not_found(track_id)
    return Track._make(row)


def _binds(caller: Caller, organization_id: str, track_id: str) -> dict[str, object]:
    return {"organization": organization_id, "owner": caller.user_id, "track": track_id}
