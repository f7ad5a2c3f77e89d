"""The page that a share link leads to: a track or a collection, with players that need no script."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from pages import licence, waveform
from pages.licence import Licence
from pages.rendering import origin, render

UNTITLED = "Untitled"


class Piece(NamedTuple):
    """A track on a page. `audio_url` is the source of its player, or None where there is no audio.

    `levels` are those of waveform.PARTS parts, or None where nobody has measured them: the page then draws some.
    """

    id: str
    title: str | None
    duration_ms: int | None
    instrumental: bool
    licence: Licence
    audio_url: str | None
    levels: bytes | None = None

    @property
    def name(self) -> str:
        return self.title or UNTITLED

    @property
    def seconds(self) -> int | None:
        return None if self.duration_ms is None else round(self.duration_ms / 1000)

    @property
    def duration(self) -> str:
        """Minutes and seconds, as a player shows them."""
        minutes, seconds = divmod(self.seconds or 0, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    @property
    def waveform(self) -> str:
        return waveform.path(self.levels or waveform.drawn(self.id))


class SharedContent(NamedTuple):
    """What a link shares. `name` and `description` are those of a collection, None for a track.

    `cover_url` is the address of an image, `expires_at` is in UTC; `is_listed`: search engines may list the page.
    """

    pieces: Sequence[Piece]
    name: str | None = None
    description: str | None = None
    cover_url: str | None = None
    expires_at: datetime | None = None
    is_collection: bool = False
    is_listed: bool = False


def share_page(content: SharedContent) -> str:
    """The page of a track or of a collection."""
    cover = content.cover_url if content.cover_url and origin(content.cover_url) else None
    title = content.name if content.is_collection else content.pieces[0].name
    return render(
        "share.html.jinja",
        content=content,
        title=title or UNTITLED,
        cover=cover,
        count=_count(len(content.pieces)),
        expires=None if content.expires_at is None else _day(content.expires_at),
        parts=waveform.PARTS,
        height=waveform.HEIGHT,
    )


def unavailable_page(message: str) -> str:
    """The page of a link whose content was removed."""
    return render("message.html.jinja", title="This music is not here any more", text=message, note=None)


def _count(pieces: int) -> str:
    return "1 piece" if pieces == 1 else f"{pieces} pieces"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


__all__ = ["Licence", "Piece", "SharedContent", "licence", "share_page", "unavailable_page"]
