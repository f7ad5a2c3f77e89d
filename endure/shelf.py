"""What the service should hold and answer, in memory: the reference that the real one is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

BLANK = {"name": "", "description": None, "cover_track_id": None, "cover_image_url": None}


@dataclass
class Held:
    """One collection, with the version that its entity tag must name."""

    owner: str
    fields: dict[str, Any]
    tracks: list[str] = field(default_factory=list)
    version: int = 1


class Shelf:
    """Every operation answers the status that is expected, and takes effect when that is a success.

    `expected` is the version that If-Match names, None where it names none.
    """

    def __init__(self, tracks: Sequence[str]) -> None:
        self.tracks = frozenset(tracks)
        self.held: dict[str, Held] = {}

    def listed(self, who: str) -> list[str]:
        """The ids of somebody's collections, newest first."""
        return [name for name, held in reversed(self.held.items()) if held.owner == who]

    def seen(self, who: str, name: str) -> Held | None:
        held = self.held.get(name)
        return held if held is not None and held.owner == who else None

    def refusal_of_fields(self, fields: dict[str, Any]) -> int | None:
        cover = fields.get("cover_track_id")
        return 422 if cover is not None and cover not in self.tracks else None

    def create(self, who: str, name: str, fields: dict[str, Any]) -> None:
        self.held[name] = Held(who, BLANK | fields)

    def update(self, who: str, name: str, fields: dict[str, Any], expected: int | None) -> int:
        held, refused = self._held(who, name, expected)
        if held is None:
            return refused
        if (refusal := self.refusal_of_fields(fields)) is not None:
            return refusal
        self._settle(held, held.fields | fields, held.tracks)
        return 200

    def delete(self, who: str, name: str, expected: int | None) -> int:
        held, refused = self._held(who, name, expected)
        if held is None:
            return refused
        del self.held[name]
        return 200

    def add(self, who: str, name: str, track: str, expected: int | None) -> int:
        held, refused = self._held(who, name, expected)
        if held is None:
            return refused
        if track not in self.tracks:
            return 404
        rest = [] if track in held.tracks else [track]
        self._settle(held, held.fields, held.tracks + rest)
        return 200

    def remove(self, who: str, name: str, track: str, expected: int | None) -> int:
        held, refused = self._held(who, name, expected)
        if held is None:
            return refused
        self._settle(held, held.fields, [member for member in held.tracks if member != track])
        return 200

    def reorder(self, who: str, name: str, wish: Sequence[str], expected: int | None) -> int:
        if len(set(wish)) != len(wish):
            return 422
        held, refused = self._held(who, name, expected)
        if held is None:
            return refused
        first = [track for track in wish if track in held.tracks]
        self._settle(held, held.fields, first + [track for track in held.tracks if track not in first])
        return 200

    def _held(self, who: str, name: str, expected: int | None) -> tuple[Held | None, int]:
        held = self.seen(who, name)
        if held is None:
            return None, 404
        return (held, 200) if expected in (None, held.version) else (None, 412)

    @staticmethod
    def _settle(held: Held, fields: dict[str, Any], tracks: list[str]) -> None:
        if (fields, tracks) != (held.fields, held.tracks):
            held.fields, held.tracks, held.version = fields, tracks, held.version + 1
