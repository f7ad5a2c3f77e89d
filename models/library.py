"""The library: the tracks that a user has saved in an organization, also tracks of other organizations."""

from models import collections, tracks
from models.access import Caller, require_membership
from models.base import ID_TRIES, new_id, now
from models.db import connection
from models.library_queries import ENTRY, FIND, INSERT, LIST, LIST_IN_COLLECTION, REMOVE, RESTORE, LibraryEntry
from models.schema import library_entries
from models.tracks import Track

__all__ = ["LibraryEntry", "is_saved", "library_entries", "list_page", "put", "save", "unsave"]


def list_page(
    caller: Caller,
    organization_id: str,
    limit: int,
    offset: int,
    *,
    mode: str | None = None,
    engine: str | None = None,
    collection_id: str | None = None,
) -> list[Track]:
    """A page of the caller's library, newest save first; None filters nothing.

    Raises AccessDenied; NotFound for a collection that is not the caller's.
    """
    require_membership(caller, organization_id)
    scope: dict[str, object] = {"organization": organization_id, "owner": caller.user_id}
    if collection_id is not None:
        scope["collection"] = collections.get(caller, organization_id, collection_id).id
    rows = connection.fetch_all(
        LIST if collection_id is None else LIST_IN_COLLECTION,
        **scope,
        wanted_mode=mode,
        wanted_engine=engine,
        limit=limit,
        offset=offset,
    )
    return _tracks_of([(row.track_organization_id, row.track_id) for row in rows])


@connection.transaction
def save(caller: Caller, organization_id: str, track_id: str) -> LibraryEntry:
    """The entry of a track that the caller may hear; it is made if there is none. Raises NotFound."""
    return put(organization_id, caller.user_id, tracks.lock(caller, organization_id, track_id))


def is_saved(organization_id: str, user_id: str, track: Track) -> bool:
    """Whether the track is in a member's library."""
    binds: dict[str, object] = {
        "organization": organization_id,
        "owner": user_id,
        "track": track.id,
        "track_organization": track.organization_id,
    }
    return connection.fetch_one(FIND, **binds) is not None


def unsave(caller: Caller, organization_id: str, track_id: str) -> None:
    """Takes a track out of the caller's library; no effect if it is not there.

    Raises NotFound if the caller may not hear the track and never had it in the library.
    """
    if organization_id not in caller.organizations:
        raise tracks.not_found(track_id)
    binds: dict[str, object] = {"organization": organization_id, "owner": caller.user_id, "track": track_id}
    if connection.execute(REMOVE, **binds, now=now()) or connection.fetch_one(ENTRY, **binds) is not None:
        return
    tracks.get(caller, organization_id, track_id)


@connection.transaction
def put(organization_id: str, user_id: str, track: Track, *, share_link_id: str | None = None) -> LibraryEntry:
    """The entry of a track in a member's library; it is made if there is none. Does not ask who may hear the track."""
    binds: dict[str, object] = {
        "organization": organization_id,
        "owner": user_id,
        "track": track.id,
        "track_organization": track.organization_id,
    }
    for _ in range(ID_TRIES):
        row = (
            connection.fetch_one(FIND, **binds)
            or connection.fetch_one(RESTORE, **binds, now=now(), new_share_link_id=share_link_id)
            or connection.fetch_one(INSERT, **_new_entry(organization_id, user_id, track, share_link_id))
        )
        if row is not None:
            return LibraryEntry._make(row)
    raise RuntimeError("No free id was found for an entry of the library.")


def _new_entry(organization_id: str, user_id: str, track: Track, share_link_id: str | None) -> dict[str, object]:
    return {
        "organization_id": organization_id,
        "user_id": user_id,
        "id": new_id("mlib_"),
        "track_organization_id": track.organization_id,
        "track_id": track.id,
        "source": "own" if track.creator_id == user_id else "shared",
        "share_link_id": share_link_id,
        "engine": track.engine,
        "mode": track.mode,
        "saved_at": now(),
    }


def _tracks_of(keys: list[tuple[str, str]]) -> list[Track]:
    """The tracks by organization and id, in this order: one query for each organization, because none may join two."""
    ids: dict[str, list[str]] = {}
    for organization_id, track_id in keys:
        ids.setdefault(organization_id, []).append(track_id)
    found = {organization_id: tracks.find_all(organization_id, listed) for organization_id, listed in ids.items()}
    return [found[where][track_id] for where, track_id in keys if track_id in found[where]]
