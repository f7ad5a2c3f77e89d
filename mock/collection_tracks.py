"""The tracks in a collection, in memory: what models/collection_tracks.py does, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mock.collections import Collections
from mock.memory import Memory
from models.access import Caller
from models.base import is_id, now
from models.collection_queries import Collection
from models.collection_track_queries import CollectionTrack
from models.collection_tracks import MAX_TRACKS, demand_distinct, full, track_not_found


class CollectionTracks:
    """The functions of models/collection_tracks.py that handlers call; each raises what its namesake raises."""

    def __init__(self, memory: Memory, collections: Collections) -> None:
        self._memory = memory
        self._collections = collections

    def list_page(
        self, caller: Caller, organization_id: str, collection_id: str, limit: int, offset: int
    ) -> tuple[int, list[CollectionTrack]]:
        row = self._collections.get(caller, organization_id, collection_id)
        members = enumerate(self._memory.members[row.id].items())
        page = [CollectionTrack(track, position, added) for position, (track, added) in members]
        return row.version, page[offset : offset + limit]

    def add(self, caller: Caller, organization_id: str, collection_id: str, track_id: str, version: int | None) -> None:
        held = self._collections.hold(caller, organization_id, collection_id, version)
        members = self._memory.members[held.id]
        if track_id not in self._memory.tracks.get(organization_id, ()):
            raise track_not_found(track_id)
        if track_id in members:
            return
        if held.track_count >= MAX_TRACKS:
            raise full(held.id)
        self._put(held, members | {track_id: now()})

    def remove(
        self, caller: Caller, organization_id: str, collection_id: str, track_id: str, version: int | None
    ) -> None:
        held = self._collections.hold(caller, organization_id, collection_id, version)
        if not is_id(track_id, "mtrack_"):
            raise track_not_found(track_id)
        members = self._memory.members[held.id]
        if track_id in members:
            self._put(held, {track: added for track, added in members.items() if track != track_id})

    def reorder(
        self, caller: Caller, organization_id: str, collection_id: str, track_ids: Sequence[str], version: int | None
    ) -> None:
        demand_distinct(track_ids)
        held = self._collections.hold(caller, organization_id, collection_id, version)
        members = self._memory.members[held.id]
        first = {track: members[track] for track in track_ids if track in members}
        wished = first | {track: added for track, added in members.items() if track not in first}
        if list(wished) != list(members):
            self._put(held, wished)

    def _put(self, held: Collection, members: dict[str, datetime]) -> None:
        self._memory.members[held.id] = members
        self._collections.put(held._replace(track_count=len(members)))
