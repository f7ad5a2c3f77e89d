"""Key cache: API keys and their callers, kept for `key_cache_seconds`.

Decision 35.
"""

from __future__ import annotations

from time import monotonic
from typing import Generic, NamedTuple, TypeVar

Value = TypeVar("Value")


class _Entry(NamedTuple, Generic[Value]):
    expires_at: float
    value: Value


class TTLCache(Generic[Value]):
    """A cache of at most `max_entries` values that expire `seconds` after their query was sent."""

    def __init__(self, seconds: float, max_entries: int = 1024) -> None:
        self._seconds = seconds
        self._max_entries = max_entries
        self._entries: dict[str, _Entry[Value]] = {}

    def get(self, name: str) -> Value | None:
        """The cached value, or None if there is none or it has expired."""
        entry = self._entries.get(name)
        return entry.value if entry is not None and monotonic() < entry.expires_at else None

    def put(self, name: str, value: Value, queried_at: float) -> None:
        """Caches the result of a query that was sent at `queried_at`, in seconds of time.monotonic()."""
        if len(self._entries) >= self._max_entries:
            self._entries.clear()
        self._entries[name] = _Entry(queried_at + self._seconds, value)
