"""Fixtures: rows of tracks, library entries and collections with given ids, for the demo and for a mock's own data."""

from datetime import datetime
from typing import Any

from sqlalchemy import insert

from models.ranks import GAP
from models.schema import collection_tracks, collections, library_entries, tracks
from models.upsert import insert_or_ignore

ADD_TRACK = insert_or_ignore(tracks)
ADD_ENTRY = insert(library_entries)
ADD_COLLECTION = insert(collections)
ADD_MEMBER = insert(collection_tracks)


def track(
    organization_id: str, creator_id: str, track_id: str, title: str | None, seconds: int, created_at: datetime
) -> dict[str, Any]:
    """The row of a track that may be used for everything."""
    return {
        "organization_id": organization_id,
        "id": track_id,
        "creator_id": creator_id,
        "title": title,
        "engine": "studio",
        "mode": "creation",
        "duration_ms": seconds * 1000,
        "instrumental": True,
        "licence_class": "commercial_cleared",
        "commercial_use": True,
        "requires_attribution": False,
        "created_at": created_at,
    }


def entry(track: dict[str, Any]) -> dict[str, Any]:
    """The row of a track in the library of its creator, who saved it at once."""
    return {
        "organization_id": track["organization_id"],
        "user_id": track["creator_id"],
        "id": track["id"].replace("mtrack_", "mlib_"),
        "track_organization_id": track["organization_id"],
        "track_id": track["id"],
        "source": "own",
        "share_link_id": None,
        "engine": track["engine"],
        "mode": track["mode"],
        "saved_at": track["created_at"],
        "removed_at": None,
    }


def collection(
    organization_id: str,
    owner_id: str,
    collection_id: str,
    track_count: int,
    created_at: datetime,
    updated_at: datetime,
) -> dict[str, Any]:
    """The row of a collection without a description and a cover, and for now without a name."""
    return {
        "organization_id": organization_id,
        "owner_id": owner_id,
        "id": collection_id,
        "name": "",
        "description": None,
        "cover_track_id": None,
        "cover_image_url": None,
        "track_count": track_count,
        "version": 1 + track_count,  # one for its creation, one for each track
        "created_at": created_at,
        "updated_at": updated_at,
        "deleted_at": None,
    }


def member(collection: dict[str, Any], index: int, track_id: str, added_at: datetime) -> dict[str, Any]:
    """The row of the track with that index in a collection."""
    return {
        "organization_id": collection["organization_id"],
        "owner_id": collection["owner_id"],
        "collection_id": collection["id"],
        "track_id": track_id,
        "rank": (index + 1) * GAP,
        "added_at": added_at,
    }
