"""Collections in memory: what models/collections.py does, without a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from mock.memory import Memory
from models.access import Caller, require_membership
from models.base import new_id, now
from models.collection_queries import Collection
from models.collections import cover_error, not_found, require_version


class Collections:
    """The functions of models/collections.py that handlers call; each raises what its namesake raises."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def list_page(self, caller: Caller, organization_id: str, limit: int, offset: int) -> list[Collection]:
        require_membership(caller, organization_id)
        whose = (organization_id, caller.user_id)
        own = [row for row in self._memory.collections.values() if (row.organization_id, row.owner_id) == whose]
        return sorted(own, key=lambda row: (row.created_at, row.id), reverse=True)[offset : offset + limit]

    def create(
        self,
        caller: Caller,
        organization_id: str,
        *,
        name: str,
        description: str | None = None,
        cover_track_id: str | None = None,
        cover_image_url: str | None = None,
    ) -> Collection:
        require_membership(caller, organization_id)
        self._demand_cover(organization_id, cover_track_id)
        moment = now()
        made = Collection(
            organization_id=organization_id,
            id=new_id("mcoll_"),
            owner_id=caller.user_id,
            name=name,
            description=description,
            cover_track_id=cover_track_id,
            cover_image_url=cover_image_url,
            track_count=0,
            version=1,
            created_at=moment,
            updated_at=moment,
        )
        self._memory.collections[made.id], self._memory.members[made.id] = made, {}
        return made

    def get(self, caller: Caller, organization_id: str, collection_id: str) -> Collection:
        found = self._memory.collections.get(collection_id)
        seen = organization_id in caller.organizations and found is not None
        if not seen or found is None or (found.organization_id, found.owner_id) != (organization_id, caller.user_id):
            raise not_found(collection_id)
        return found

    def update(
        self,
        caller: Caller,
        organization_id: str,
        collection_id: str,
        changes: Mapping[str, str | None],
        version: int | None,
    ) -> Collection:
        held = self.hold(caller, organization_id, collection_id, version)
        self._demand_cover(organization_id, changes.get("cover_track_id"))
        wished = held._replace(**cast("dict[str, Any]", changes))
        return held if wished == held else self.put(wished)

    def delete(self, caller: Caller, organization_id: str, collection_id: str, version: int | None) -> None:
        held = self.hold(caller, organization_id, collection_id, version)
        del self._memory.collections[held.id], self._memory.members[held.id]

    def hold(self, caller: Caller, organization_id: str, collection_id: str, version: int | None) -> Collection:
        """The collection that is to be changed; raises Missing, then VersionMismatch."""
        held = self.get(caller, organization_id, collection_id)
        require_version(held, version)
        return held

    def put(self, changed: Collection) -> Collection:
        """Keep the row as its next version."""
        row = changed._replace(version=changed.version + 1, updated_at=now())
        self._memory.collections[row.id] = row
        return row

    def _demand_cover(self, organization_id: str, cover_track_id: str | None) -> None:
        if cover_track_id is not None and cover_track_id not in self._memory.tracks.get(organization_id, ()):
            raise cover_error()
