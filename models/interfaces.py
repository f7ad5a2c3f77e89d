"""What handlers ask of stored things, as protocols: the modules of this room keep them, and so do the mock's stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypedDict

from models.access import Caller
from models.collection_queries import Collection
from models.collection_track_queries import CollectionTrack


class Collections(Protocol):
    """The public functions of models/collections.py, which says what they raise."""

    def list_page(self, caller: Caller, organization_id: str, limit: int, offset: int) -> list[Collection]: ...

    def create(
        self,
        caller: Caller,
        organization_id: str,
        *,
        name: str,
        description: str | None = None,
        cover_track_id: str | None = None,
        cover_image_url: str | None = None,
    ) -> Collection: ...

    def get(self, caller: Caller, organization_id: str, collection_id: str) -> Collection: ...

    def update(
        self,
        caller: Caller,
        organization_id: str,
        collection_id: str,
        changes: Mapping[str, str | None],
        version: int | None,
    ) -> Collection: ...

    def delete(self, caller: Caller, organization_id: str, collection_id: str, version: int | None) -> None: ...


class CollectionTracks(Protocol):
    """The public functions of models/collection_tracks.py, which says what they raise."""

    def list_page(
        self, caller: Caller, organization_id: str, collection_id: str, limit: int, offset: int
    ) -> tuple[int, list[CollectionTrack]]: ...

    def add(
        self, caller: Caller, organization_id: str, collection_id: str, track_id: str, version: int | None
    ) -> None: ...

    def remove(
        self, caller: Caller, organization_id: str, collection_id: str, track_id: str, version: int | None
    ) -> None: ...

    def reorder(
        self, caller: Caller, organization_id: str, collection_id: str, track_ids: Sequence[str], version: int | None
    ) -> None: ...


class Database(Protocol):
    """Of models/db/connection.py, what an operation may ask."""

    def ready(self) -> bool: ...


class Stores(TypedDict, total=False):
    """The stores by the names under which handlers ask for them; one that is missing is not kept here."""

    collections: Collections
    collection_tracks: CollectionTracks
    database: Database
