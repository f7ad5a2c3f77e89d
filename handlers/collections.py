"""Operations of the tag `collections`: a user's ordered lists of tracks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import cast

from generated import wire
from models import collection_tracks, collections
from models.access import Caller
from models.collection_queries import Collection
from models.collection_track_queries import CollectionTrack
from web.responses import WithETag, format_timestamps


def list_collections(organization_id: str, limit: int, offset: int, caller: Caller) -> wire.CollectionPage:
    rows = collections.list_page(caller, organization_id, limit, offset)
    return {"items": _views(rows), "limit": limit, "offset": offset}


def create_collection(organization_id: str, body: wire.CollectionCreate, caller: Caller) -> WithETag[wire.Collection]:
    return _with_etag(collections.create(caller, organization_id, **body))


def get_collection(organization_id: str, collection_id: str, caller: Caller) -> WithETag[wire.Collection]:
    return _with_etag(collections.get(caller, organization_id, collection_id))


def update_collection(
    organization_id: str,
    collection_id: str,
    body: wire.CollectionPatch,
    caller: Caller,
    if_match: int | None,
) -> WithETag[wire.Collection]:
    return _with_etag(
        collections.update(caller, organization_id, collection_id, cast("dict[str, str | None]", body), if_match)
    )


def delete_collection(
    organization_id: str, collection_id: str, caller: Caller, if_match: int | None
) -> wire.Acknowledgement:
    collections.delete(caller, organization_id, collection_id, if_match)
    return _acknowledge(collection_id, "Collection deleted.")


def list_collection_tracks(
    organization_id: str,
    collection_id: str,
    limit: int,
    offset: int,
    caller: Caller,
) -> WithETag[wire.CollectionTrackPage]:
    version, rows = collection_tracks.list_page(caller, organization_id, collection_id, limit, offset)
    body: wire.CollectionTrackPage = {
        "collection_id": collection_id, "items": _members(rows, offset), "limit": limit, "offset": offset
    }  # fmt: skip
    return WithETag(body, version)


def add_collection_track(
    organization_id: str,
    collection_id: str,
    body: wire.CollectionTrackCreate,
    caller: Caller,
    if_match: int | None,
) -> wire.Acknowledgement:
    collection_tracks.add(caller, organization_id, collection_id, body["track_id"], if_match)
    return _acknowledge(body["track_id"], "Track added to collection.")


def remove_collection_track(
    organization_id: str,
    collection_id: str,
    track_id: str,
    caller: Caller,
    if_match: int | None,
) -> wire.Acknowledgement:
    collection_tracks.remove(caller, organization_id, collection_id, track_id, if_match)
    return _acknowledge(track_id, "Track removed from collection.")


def reorder_collection(
    organization_id: str,
    collection_id: str,
    body: wire.CollectionOrder,
    caller: Caller,
    if_match: int | None,
) -> wire.Acknowledgement:
    collection_tracks.reorder(caller, organization_id, collection_id, body["ordered_track_ids"], if_match)
    return _acknowledge(collection_id, "Collection reordered.")


def _with_etag(row: Collection) -> WithETag[wire.Collection]:
    created_at, updated_at = format_timestamps([row.created_at, row.updated_at])
    return WithETag(_view(row, created_at, updated_at), row.version)


def _views(rows: Sequence[Collection]) -> list[wire.Collection]:
    """The collections of a list, which has no counts."""
    created, updated = (
        format_timestamps([row.created_at for row in rows]),
        format_timestamps([row.updated_at for row in rows]),
    )
    views = list(map(_view, rows, created, updated))
    for view in views:
        view["track_count"] = None
    return views


def _view(row: Collection, created_at: str, updated_at: str) -> wire.Collection:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "cover_track_id": row.cover_track_id,
        "cover_image_url": row.cover_image_url,
        "track_count": row.track_count,
        "created_at": created_at,
        "updated_at": updated_at,
    }


def _members(rows: Sequence[CollectionTrack], offset: int) -> list[wire.CollectionTrack]:
    added = format_timestamps([row.added_at for row in rows])
    return [
        {"track_id": row.track_id, "position": position, "added_at": added_at}
        for row, position, added_at in zip(rows, count(offset), added, strict=False)
    ]


def _acknowledge(resource_id: str, detail: str) -> wire.Acknowledgement:
    return {"success": True, "id": resource_id, "detail": detail}
