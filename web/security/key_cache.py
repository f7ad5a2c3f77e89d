"""What was found for a credential, remembered for the moment in which it cannot change."""

from __future__ import annotations

from time import monotonic
from typing import Generic, NamedTuple, TypeVar

Found = TypeVar("Found")


class _Entry(NamedTuple, Generic[Found]):
    ends: float
    found: Found


class TTLCache(Generic[Found]):
    """A bounded memory, of which nothing is believed for longer than `seconds` after the question was asked."""

    def __init__(self, seconds: float, most: int = 1024) -> None:
        self._seconds = seconds
        self._most = most
        self._held: dict[str, _Entry[Found]] = {}

    def get(self, name: str) -> Found | None:
        """What was found, while it may be believed."""
        lease = self._held.get(name)
        return lease.found if lease is not None and monotonic() < lease.ends else None

    def put(self, name: str, found: Found, asked_at: float) -> None:
        """Remember what a question gave that was asked at this moment of the monotonic clock."""
        if len(self._held) >= self._most:
            self._held.clear()
        self._held[name] = _Entry(asked_at + self._seconds, found)
