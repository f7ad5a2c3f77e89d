"""What the mock holds: rows in memory, which begin with the demo and are gone when it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import ParamSpec, TypeVar

from models.collection_queries import Collection
from models.idempotency import StoredResponse
from models.keys import ApiKey
from ops import demo

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class Memory:
    """Rows by their ids. A row is replaced and never changed, so what is kept of a moment stays as it was."""

    collections: dict[str, Collection] = field(default_factory=dict)
    members: dict[str, dict[str, datetime]] = field(default_factory=dict)
    """Collection -> its tracks in order, with the moment when each was added."""
    tracks: dict[str, frozenset[str]] = field(default_factory=dict)
    """Organization -> its tracks."""
    keys: dict[bytes, ApiKey] = field(default_factory=dict)
    """Digest of the secret -> key."""
    answers: dict[tuple[str, str, str], tuple[bytes, StoredResponse]] = field(default_factory=dict)
    """Organization, user and idempotency key -> fingerprint of the request, and its answer."""

    def transaction(self, function: Callable[P, R]) -> Callable[P, R]:
        """Make a function undo what it did when it raises; requests come one after another here."""

        @wraps(function)
        def whole(*args: P.args, **kwargs: P.kwargs) -> R:
            before = dict(self.collections), dict(self.members), dict(self.answers)
            try:
                return function(*args, **kwargs)
            except BaseException:
                self.collections, self.members, self.answers = before
                raise

        return whole

    def ready(self) -> bool:
        """Always."""
        return True

    def load_demo(self) -> None:
        """The tracks and the collection of the reference page."""
        row = demo.collection()
        ids = [track_id for track_id, _, _ in demo.TRACKS]
        self.tracks[demo.ORGANIZATION] = frozenset(ids)
        self.collections[demo.COLLECTION] = Collection._make(row[name] for name in Collection._fields)
        self.members[demo.COLLECTION] = {ids[index]: demo.member(index)["added_at"] for index in range(len(ids))}
