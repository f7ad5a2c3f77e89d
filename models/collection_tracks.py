"""The tracks in a collection, in the owner's order."""

from collections.abc import Sequence
from typing import cast

from models import collections, ranks, tracks
from models.access import Caller
from models.base import is_id, now
from models.collection_queries import Collection
from models.collection_track_queries import (
    APPEND,
    FIRST,
    LIST,
    LIST_OR_EMPTY,
    LISTED,
    MEMBER,
    MOVE,
    MOVE_ALL,
    REMOVE,
    CollectionTrack,
)
from models.db import connection
from models.exceptions import CollectionFull, InvalidValue, NotFound
from models.schema import collection_tracks

__all__ = ["MAX_TRACKS", "CollectionTrack", "add", "collection_tracks", "list_page", "remove", "reorder"]

MAX_TRACKS = 10_000


def list_page(
    caller: Caller, organization_id: str, collection_id: str, limit: int, offset: int
) -> tuple[int, Sequence[CollectionTrack]]:
    """The collection's version, and a page of its tracks in order as of that version. Raises NotFound."""
    binds = collections.owner_binds(caller, organization_id, collection_id) | {"limit": limit, "offset": offset}
    rows = connection.fetch_all(LIST, **binds) or connection.fetch_all(LIST_OR_EMPTY, **binds)
    if not rows:
        raise collections.not_found(collection_id)
    page = rows if rows[0].track_id is not None else []
    return rows[0].version, cast("Sequence[CollectionTrack]", page)  # rows have its fields, and a page has many


@connection.transaction
def add(caller: Caller, organization_id: str, collection_id: str, track_id: str, version: int | None) -> None:
    """Appends a track that the caller may hear; if it is in the collection already, nothing changes.

    Raises, in this order, NotFound for the collection, VersionMismatch, NotFound for the track, CollectionFull.
    """
    collection = collections.lock(caller, organization_id, collection_id, version)
    binds = collections.binds_of(collection) | {"track": track_id}
    is_full = collection.track_count >= MAX_TRACKS
    if not is_full and connection.fetch_one(APPEND, **binds, now=now()) is not None:
        collections.touch(collection, more=1)
        return
    if connection.fetch_one(MEMBER, **binds) is not None:
        return
    if is_full and tracks.is_audible(caller, organization_id, track_id):
        raise full(collection_id)
    raise track_not_found(track_id)


@connection.transaction
def remove(caller: Caller, organization_id: str, collection_id: str, track_id: str, version: int | None) -> None:
    """Removes a track; no effect if it is not in the collection.

    Raises, in this order, NotFound for the collection, VersionMismatch, NotFound for an id of another form.
    """
    collection = collections.lock(caller, organization_id, collection_id, version)
    if not is_id(track_id, "mtrack_"):
        raise track_not_found(track_id)
    if connection.execute(REMOVE, **collections.binds_of(collection), track=track_id):
        collections.touch(collection, more=-1)


@connection.transaction
def reorder(
    caller: Caller, organization_id: str, collection_id: str, track_ids: Sequence[str], version: int | None
) -> None:
    """Moves the listed tracks to the front, in the listed order; the others keep their order. Ignores unknown ids.

    Raises, in this order, InvalidValue for an id that is listed twice, NotFound, VersionMismatch.
    """
    wanted = require_distinct(track_ids)
    collection = collections.lock(caller, organization_id, collection_id, version)
    moves = _moves(collection, track_ids, wanted)
    if moves:
        _move(collections.binds_of(collection), moves)
        collections.touch(collection, more=0)


def _move(scope: dict[str, object], moves: Sequence[tuple[str, int]]) -> None:
    if connection.is_postgres():
        moved, new_ranks = map(list, zip(*moves, strict=True))
        connection.execute(MOVE_ALL, **scope, moved=moved, new_ranks=new_ranks)
    else:
        connection.execute_many(MOVE, [scope | {"track": track, "new_rank": rank} for track, rank in moves])


def _moves(collection: Collection, track_ids: Sequence[str], wanted: set[str]) -> list[tuple[str, int]]:
    """The new ranks of the tracks that must move."""
    old_ranks, ceiling = _ranks_of(collection, track_ids, wanted)
    listed = list(filter(old_ranks.__contains__, track_ids))
    changed = ranks.arrange([old_ranks[track] for track in listed], ceiling)
    return [(listed[index], rank) for index, rank in changed.items()]


def _ranks_of(collection: Collection, track_ids: Sequence[str], wanted: set[str]) -> tuple[dict[str, int], int | None]:
    """The ranks of the listed tracks in the collection, and the lowest rank of a track that is not listed."""
    # One row more than there are ids: at least one is not listed, unless these are all tracks of the collection.
    first = connection.fetch_all(FIRST, **collections.binds_of(collection), count=len(track_ids) + 1)
    ceiling = next((row.rank for row in first if row.track_id not in wanted), None)
    listed = {row.track_id: row.rank for row in first if row.track_id in wanted}
    rest = [track for track in track_ids if track not in listed] if len(first) > len(track_ids) else []
    if rest:
        listed |= {
            row.track_id: row.rank
            for row in connection.fetch_all(LISTED, **collections.binds_of(collection), track_ids=rest)
        }
    return listed, ceiling


def track_not_found(track_id: str) -> NotFound:
    """The error for a missing track and for one that the owner may not hear: the same for both."""
    return NotFound("Track not found in this organization", track_id=track_id)


def full(collection_id: str) -> CollectionFull:
    """The error for more than 10,000 tracks in a collection."""
    return CollectionFull(f"A collection holds at most {MAX_TRACKS} tracks", collection_id=collection_id)


def require_distinct(track_ids: Sequence[str]) -> set[str]:
    """The listed ids as a set. Raises InvalidValue for an id that is listed twice."""
    wanted = set(track_ids)
    if len(wanted) != len(track_ids):
        raise InvalidValue("/ordered_track_ids", "uniqueItems", "A track is listed more than once.")
    return wanted
