"""Operations of the tag `shared_pages`: what a browser shows of a share link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models import tracks
from models.exceptions import NotFound
from models.shares import NO_LINK, Shared
from models.tracks import Track
from pages import licence
from pages.rendering import content_security_policy
from pages.share_page import Piece, SharedContent, share_page, unavailable_page
from web import playback, sharing
from web.responses import WithStatus, redirect

GONE = "Whoever shared it has removed it."


def get_shared_page(token: str) -> WithStatus[str]:
    shared = sharing.resolve(token)
    if shared.track is None and shared.collection is None:
        return _page(unavailable_page(GONE))
    content = _content(shared, token)
    return _page(share_page(content), image=content.cover_url or "")


def get_shared_audio(
    token: str,
    position: str,
    range: str | None,  # noqa: A002 - the name of the header field
    if_range: str | None,
) -> WithStatus[Any]:
    """A player gets ranges from here, because it would not come back to an address that leads it elsewhere."""
    shown = _tracks(sharing.resolve(token, counts=False))
    track = {str(number): track for number, track in enumerate(shown, 1)}.get(position)
    url = None if track is None else playback.url(track, is_shared=True)
    if track is None or url is None:
        raise NotFound(NO_LINK)
    return playback.part(track, range_=range, if_range=if_range) or redirect(url)


def _page(html: str, *, image: str = "") -> WithStatus[str]:
    return WithStatus(html, 200, {"content-security-policy": content_security_policy(image=image)})


def _content(shared: Shared, token: str) -> SharedContent:
    collection, shown = shared.collection, _tracks(shared)
    waveforms = tracks.waveforms(shared.link.organization_id, [track.id for track in shown])
    return SharedContent(
        pieces=[_piece(track, token, number, waveforms.get(track.id)) for number, track in enumerate(shown, 1)],
        name=None if collection is None else collection.name,
        description=None if collection is None else collection.description,
        cover_url=None if collection is None else collection.cover_image_url,
        expires_at=shared.link.expires_at,
        is_collection=collection is not None,
        is_listed=shared.link.visibility == "public",
    )


def _tracks(shared: Shared) -> Sequence[Track]:
    return shared.tracks if shared.track is None else [shared.track]


def _piece(track: Track, token: str, number: int, waveform: bytes | None) -> Piece:
    rights = {"commercial_use": track.commercial_use, "requires_attribution": track.requires_attribution}
    return Piece(
        id=track.id,
        title=track.title,
        duration_ms=track.duration_ms,
        instrumental=track.instrumental,
        licence=licence.describe(track.licence_class, **rights),
        audio_url=None if track.audio_name is None else sharing.public_path(f"/shared/{token}/audio/{number}"),
        levels=waveform,
    )
