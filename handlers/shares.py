"""Operations of the tag `shares`: links that open a track or a collection to whoever has them."""

from __future__ import annotations

from typing import Any, cast

from generated import wire
from models import shares
from models.access import Caller
from models.collections import Collection
from models.library import LibraryEntry
from models.shares import Shared, ShareLink, Terms
from models.tracks import Track
from pages import licence
from web import playback, sharing
from web.context import current_request
from web.http import request_checks
from web.responses import WithStatus, format_timestamps

GONE = "This music is not available any more."


def share_track(
    organization_id: str, track_id: str, body: wire.ShareCreate | None, caller: Caller
) -> wire.ShareLinkCreated:
    token, digest = sharing.create_token()
    return _created(shares.share_track(caller, organization_id, track_id, _terms(body), digest), token)


def share_collection(
    organization_id: str, collection_id: str, body: wire.ShareCreate | None, caller: Caller
) -> wire.ShareLinkCreated:
    token, digest = sharing.create_token()
    return _created(shares.share_collection(caller, organization_id, collection_id, _terms(body), digest), token)


def list_shares(organization_id: str, limit: int, offset: int, caller: Caller) -> wire.ShareLinkPage:
    links = shares.list_page(caller, organization_id, limit, offset)
    return {"items": [_listed(link) for link in links], "limit": limit, "offset": offset}


def revoke_share(organization_id: str, share_id: str, caller: Caller) -> wire.Acknowledgement:
    shares.revoke(caller, organization_id, share_id)
    return {"success": True, "id": share_id, "detail": "Share link revoked."}


def resolve_share(token: str) -> wire.ResolvedShare | WithStatus[str]:
    """For whoever prefers HTML, the way to the page; it tells nothing about the link."""
    if request_checks.prefers(current_request.get(), "text/html", "application/json"):
        return WithStatus("", 303, {"location": sharing.page_path(token)})
    return _resolved(sharing.resolve(token))


def save_shared_track(
    token: str, body: wire.SharedTrackSave | None, caller: Caller
) -> WithStatus[wire.SavedSharedTrack]:
    wanted = None if body is None else body.get("organization_id")
    organization_id, entry = shares.save(caller, wanted, sharing.digest(token))
    location = sharing.public_path(f"/v1/music/{organization_id}/tracks/{entry.track_id}")
    return WithStatus(_saved(entry), 201, {"location": location})


def _terms(body: wire.ShareCreate | None) -> Terms:
    chosen: dict[str, Any] = dict(body or {})
    return Terms(**chosen)


def _created(link: ShareLink, token: str) -> wire.ShareLinkCreated:
    facts = _facts(link)
    return cast("wire.ShareLinkCreated", {"id": link.id, "token": token, "url": sharing.url(token)} | facts)


def _listed(link: ShareLink) -> wire.ShareLink:
    more = {"revoked_at": _time(link.revoked_at), "resolve_count": link.resolve_count}
    return cast("wire.ShareLink", {"id": link.id} | _facts(link) | more)


def _facts(link: ShareLink) -> dict[str, Any]:
    return _conditions(link) | {"created_at": _time(link.created_at)}


def _conditions(link: ShareLink) -> dict[str, Any]:
    """What whoever has the link may know of it."""
    return {
        "target_type": "collection" if link.track_id is None else "track",
        "visibility": link.visibility,
        "expires_at": _time(link.expires_at),
    }


def _resolved(shared: Shared) -> wire.ResolvedShare:
    track, collection = shared.track, shared.collection
    # A track that was imported before there was audio has nothing to hear.
    views = None if track is None else _track(track)
    available = collection is not None or (views is not None and views["playback_url"] is not None)
    conditions = _conditions(shared.link)
    return {
        "kind": conditions["target_type"],
        "available": available,
        "message": None if available else GONE,
        "share": cast("wire.ShareConditions", conditions),
        "track": views if available else None,
        "collection": None if collection is None else _collection(collection),
        "tracks": None if collection is None else [_track(one) for one in shared.tracks],
    }


def _collection(collection: Collection) -> wire.ResolvedCollection:
    return {"id": collection.id, "name": collection.name, "description": collection.description}


def _track(track: Track) -> wire.SharedTrack:
    return {
        "id": track.id,
        "title": track.title,
        "engine": track.engine,
        "mode": cast("wire.TrackMode", track.mode),
        "measured_duration_seconds": None if track.duration_ms is None else track.duration_ms / 1000,
        "instrumental": track.instrumental,
        "playback_url": playback.url(track, is_shared=True),
        "licence": {
            "licence_class": cast("wire.LicenceClass", track.licence_class),
            "licence_version": licence.version(track.licence_class),
            "commercial_use": track.commercial_use,
            "requires_attribution": track.requires_attribution,
        },
    }


def _saved(entry: LibraryEntry) -> wire.SavedSharedTrack:
    [created_at] = format_timestamps([entry.saved_at])
    return {
        "id": entry.id,
        "track_id": entry.track_id,
        "source": cast("wire.EntrySource", entry.source),
        "share_link_id": entry.share_link_id,
        "created_at": created_at,
    }


def _time(value: Any) -> str | None:
    return None if value is None else format_timestamps([value])[0]
