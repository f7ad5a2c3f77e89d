"""Operations of the tag `tracks`: the pieces of music, the caller's library, and playback."""

from __future__ import annotations

from typing import Any, cast

from generated import wire
from models import focus_sessions, library, tracks
from models.access import Caller
from models.focus_sessions import Segment
from models.library import LibraryEntry
from models.tracks import Track
from web import playback
from web.responses import WithStatus, format_timestamps
from web.security.signed_urls import Grant


def list_tracks(
    organization_id: str,
    mode: str | None,
    engine: str | None,
    collection_id: str | None,
    limit: int,
    offset: int,
    caller: Caller,
) -> wire.TrackPage:
    rows = library.list_page(
        caller, organization_id, limit, offset, mode=mode, engine=engine, collection_id=collection_id
    )
    times = format_timestamps([row.created_at for row in rows])
    return {"items": list(map(_view, rows, times)), "limit": limit, "offset": offset}


def get_track(organization_id: str, track_id: str, caller: Caller) -> wire.Track:
    track = tracks.get(caller, organization_id, track_id)
    [created_at] = format_timestamps([track.created_at])
    return _view(track, created_at, playback.url(track))


def delete_track(organization_id: str, track_id: str, caller: Caller) -> wire.Acknowledgement:
    tracks.delete(caller, organization_id, track_id)
    return {"success": True, "id": track_id, "detail": "Track deleted."}


def save_track(organization_id: str, track_id: str, caller: Caller) -> wire.LibraryEntry:
    return _entry(library.save(caller, organization_id, track_id))


def unsave_track(organization_id: str, track_id: str, caller: Caller) -> wire.Acknowledgement:
    library.unsave(caller, organization_id, track_id)
    return {"success": True, "id": track_id, "detail": "Track removed from library."}


def get_audio(
    file: str,
    sig: str,
    range: str | None,  # noqa: A002 - the name of the header field
    if_range: str | None,
    if_none_match: str | None,
) -> WithStatus[Any]:
    grant = playback.grant(file, sig)
    heard = _heard(grant, file.partition(".")[0])
    return playback.response(heard, grant, if_none_match=if_none_match, range_=range, if_range=if_range)


def _heard(grant: Grant, id_: str) -> Track | Segment | None:
    """What a seal lets its holder play."""
    if grant.part == playback.SEGMENT:
        return focus_sessions.playable(grant.organization_id, id_)
    return tracks.find(grant.organization_id, id_)


def _view(track: Track, created_at: str, playback_url: str | None = None) -> wire.Track:
    return {
        "id": track.id,
        "title": track.title,
        "engine": track.engine,
        "mode": cast("wire.TrackMode", track.mode),
        "measured_duration_seconds": None if track.duration_ms is None else track.duration_ms / 1000,
        "instrumental": track.instrumental,
        "licence_class": cast("wire.LicenceClass", track.licence_class),
        "commercial_use": track.commercial_use,
        "requires_attribution": track.requires_attribution,
        "created_at": created_at,
        "playback_url": playback_url,
        "stem_urls": None,
    }


def _entry(entry: LibraryEntry) -> wire.LibraryEntry:
    [created_at] = format_timestamps([entry.saved_at])
    return {
        "id": entry.id,
        "track_id": entry.track_id,
        "source": cast("wire.EntrySource", entry.source),
        "created_at": created_at,
        "saved": True,
        "share_link_id": entry.share_link_id,
    }
