"""The tracks in a collection, in the order that its owner wants."""

from collections.abc import Sequence

from models import collections, ranks, tracks
from models.access import Caller
from models.base import is_id, now
from models.collection_queries import Collection
from models.collection_track_queries import APPEND, FIRST, LIST, LISTED, MEMBER, MOVE, MOVE_ALL, REMOVE, CollectionTrack
from models.db import connection
from models.exceptions import CollectionFull, InvalidValue, NotFound
from models.schema import collection_tracks

__all__ = ["MAX_TRACKS", "CollectionTrack", "add", "collection_tracks", "list_page", "remove", "reorder"]

MAX_TRACKS = 10_000


def list_page(
    caller: Caller, organization_id: str, collection_id: str, limit: int, offset: int
) -> tuple[int, list[CollectionTrack]]:
    """The collection's version and, of the same moment, a page of its tracks in order; raises Missing."""
    scope = collections.owner_binds(caller, organization_id, collection_id)
    rows = connection.fetch_all(LIST, **scope, limit=limit, offset=offset)
    if not rows:
        raise collections.not_found(collection_id)
    members = [row for row in rows if row.track_id is not None]
    page = [CollectionTrack(row.track_id, offset + index, row.added_at) for index, row in enumerate(members)]
    return rows[0].version, page


@connection.transaction
def add(caller: Caller, organization_id: str, collection_id: str, track_id: str, version: int | None) -> None:
    """Put a track at the end; a member stays where it is, and then nothing changes.

    Raises Missing for the collection, VersionMismatch, Missing for the track, then CollectionFull.
    """
    held = collections.lock(caller, organization_id, collection_id, version)
    if held.track_count >= MAX_TRACKS:
        _require_member(held, track_id)
    elif connection.fetch_one(APPEND, **collections.binds_of(held), track=track_id, now=now()) is not None:
        collections.touch(held, more=1)
    else:
        _require_track(organization_id, track_id)


@connection.transaction
def remove(caller: Caller, organization_id: str, collection_id: str, track_id: str, version: int | None) -> None:
    """Take a track out; without effect when it is not in.

    Raises Missing for the collection, VersionMismatch, then Missing for what is not the id of any track.
    """
    held = collections.lock(caller, organization_id, collection_id, version)
    if not is_id(track_id, "mtrack_"):
        raise track_not_found(track_id)
    if connection.execute(REMOVE, **collections.binds_of(held), track=track_id):
        collections.touch(held, more=-1)


@connection.transaction
def reorder(
    caller: Caller, organization_id: str, collection_id: str, track_ids: Sequence[str], version: int | None
) -> None:
    """Put the listed members first, in the listed order, and leave the others in theirs behind; ignore other ids.

    Raises Unacceptable for an id that is listed twice, Missing, then VersionMismatch.
    """
    wanted = require_distinct(track_ids)
    held = collections.lock(caller, organization_id, collection_id, version)
    moves = _moves(held, track_ids, wanted)
    if moves:
        _move(collections.binds_of(held), moves)
        collections.touch(held, more=0)


def _move(scope: dict[str, object], moves: Sequence[tuple[str, int]]) -> None:
    if connection.is_postgres():
        moved, new_ranks = map(list, zip(*moves, strict=True))
        connection.execute(MOVE_ALL, **scope, moved=moved, new_ranks=new_ranks)
    else:
        connection.execute_many(MOVE, [scope | {"track": track, "new_rank": rank} for track, rank in moves])


def _moves(held: Collection, track_ids: Sequence[str], wanted: set[str]) -> list[tuple[str, int]]:
    found, ceiling = _ranks_of(held, track_ids, wanted)
    listed = list(filter(found.__contains__, track_ids))
    changed = ranks.arrange([found[track] for track in listed], ceiling)
    return [(listed[index], rank) for index, rank in changed.items()]


def _ranks_of(held: Collection, track_ids: Sequence[str], wanted: set[str]) -> tuple[dict[str, int], int | None]:
    """The ranks of the listed members, and the lowest rank of a member that is not listed."""
    # One row more than there are ids: one of them is not listed, unless these are all the members.
    first = connection.fetch_all(FIRST, **collections.binds_of(held), count=len(track_ids) + 1)
    ceiling = next((row.rank for row in first if row.track_id not in wanted), None)
    found = {row.track_id: row.rank for row in first if row.track_id in wanted}
    rest = [track for track in track_ids if track not in found] if len(first) > len(track_ids) else []
    if rest:
        found |= {
            row.track_id: row.rank for row in connection.fetch_all(LISTED, **collections.binds_of(held), track_ids=rest)
        }
    return found, ceiling


def _require_track(organization_id: str, track_id: str) -> None:
    if not tracks.exists(organization_id, track_id):
        raise track_not_found(track_id)


def track_not_found(track_id: str) -> NotFound:
    """The one failure for a track that is absent and for one of another organization."""
    return NotFound("Track not found in this organization", track_id=track_id)


def _require_member(held: Collection, track_id: str) -> None:
    if connection.fetch_one(MEMBER, **collections.binds_of(held), track=track_id) is not None:
        return
    _require_track(held.organization_id, track_id)
    raise full(held.id)


def full(collection_id: str) -> CollectionFull:
    """The failure for one track more than a collection may hold."""
    return CollectionFull(f"A collection holds at most {MAX_TRACKS} tracks", collection_id=collection_id)


def require_distinct(track_ids: Sequence[str]) -> set[str]:
    """The tracks that are listed; raises Unacceptable for one that is listed twice."""
    wanted = set(track_ids)
    if len(wanted) != len(track_ids):
        raise InvalidValue("/ordered_track_ids", "uniqueItems", "A track is listed more than once.")
    return wanted
