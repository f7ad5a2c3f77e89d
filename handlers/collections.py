"""Collections: a user's ordered groupings of tracks."""

from __future__ import annotations

from typing import cast

from edge.answers import Tagged, moment
from generated import wire
from models.access import Caller
from models.collection_rows import Collection
from models.collection_track_rows import CollectionTrack
from models.stores import Collections, CollectionTracks


def list_collections(
    organization_id: str, limit: int, offset: int, caller: Caller, collections: Collections
) -> wire.CollectionPage:
    rows = collections.list_page(caller, organization_id, limit, offset)
    return {"items": [_view(row) | {"track_count": None} for row in rows], "limit": limit, "offset": offset}


def create_collection(
    organization_id: str, body: wire.NewCollection, caller: Caller, collections: Collections
) -> Tagged[wire.Collection]:
    return _tagged(collections.create(caller, organization_id, **body))


def get_collection(
    organization_id: str, collection_id: str, caller: Caller, collections: Collections
) -> Tagged[wire.Collection]:
    return _tagged(collections.get(caller, organization_id, collection_id))


def update_collection(
    organization_id: str,
    collection_id: str,
    body: wire.CollectionPatch,
    caller: Caller,
    if_match: int | None,
    collections: Collections,
) -> Tagged[wire.Collection]:
    return _tagged(
        collections.update(caller, organization_id, collection_id, cast("dict[str, str | None]", body), if_match)
    )


def delete_collection(
    organization_id: str, collection_id: str, caller: Caller, if_match: int | None, collections: Collections
) -> wire.Acknowledgement:
    collections.delete(caller, organization_id, collection_id, if_match)
    return _done(collection_id, "Collection deleted.")


def list_collection_tracks(
    organization_id: str,
    collection_id: str,
    limit: int,
    offset: int,
    caller: Caller,
    collection_tracks: CollectionTracks,
) -> Tagged[wire.CollectionTrackPage]:
    version, rows = collection_tracks.list_page(caller, organization_id, collection_id, limit, offset)
    items = [_member(row) for row in rows]
    return Tagged({"collection_id": collection_id, "items": items, "limit": limit, "offset": offset}, version)


def add_collection_track(
    organization_id: str,
    collection_id: str,
    body: wire.NewCollectionTrack,
    caller: Caller,
    if_match: int | None,
    collection_tracks: CollectionTracks,
) -> wire.Acknowledgement:
    collection_tracks.add(caller, organization_id, collection_id, body["track_id"], if_match)
    return _done(body["track_id"], "Track added to collection.")


def remove_collection_track(
    organization_id: str,
    collection_id: str,
    track_id: str,
    caller: Caller,
    if_match: int | None,
    collection_tracks: CollectionTracks,
) -> wire.Acknowledgement:
    collection_tracks.remove(caller, organization_id, collection_id, track_id, if_match)
    return _done(track_id, "Track removed from collection.")


def reorder_collection(
    organization_id: str,
    collection_id: str,
    body: wire.CollectionOrder,
    caller: Caller,
    if_match: int | None,
    collection_tracks: CollectionTracks,
) -> wire.Acknowledgement:
    collection_tracks.reorder(caller, organization_id, collection_id, body["ordered_track_ids"], if_match)
    return _done(collection_id, "Collection reordered.")


def _tagged(row: Collection) -> Tagged[wire.Collection]:
    return Tagged(_view(row), row.version)


def _view(row: Collection) -> wire.Collection:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "cover_track_id": row.cover_track_id,
        "cover_image_url": row.cover_image_url,
        "track_count": row.track_count,
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
    }


def _member(row: CollectionTrack) -> wire.CollectionTrack:
    return {"track_id": row.track_id, "position": row.position, "added_at": moment(row.added_at)}


def _done(subject: str, detail: str) -> wire.Acknowledgement:
    return {"success": True, "id": subject, "detail": detail}
