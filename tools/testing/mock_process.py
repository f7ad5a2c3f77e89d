"""The mock in a process of its own, which does with its memory what it is told on its standard input."""

import json
import sys
import threading
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from typing import Any

import app
import settings
from mock.accounts import People
from mock.memory import Memory
from models.base import now
from models.revocation import wait_for_key_caches
from web.server import process as serving
from web.server import sockets
from web.telemetry import log_config


class Hand:
    """Changes the rows past the mock; each function is a word that may be told."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._people = People(memory)

    def key(self, secret: str, organization: str, user: str, expires_at: str | None, **terms: Any) -> str:
        expiry = None if expires_at is None else datetime.fromisoformat(expires_at)
        return self._people.add(secret, organization, user, expires_at=expiry, **terms).id

    @wait_for_key_caches
    def set_state(self, key_id: str, state: str) -> bool:
        keys = self._memory.keys
        found = next(digest for digest, key in keys.items() if key.id == key_id)
        keys[found] = keys[found]._replace(state=state)
        return True

    def add_tracks(self, organization: str, track_ids: list[str]) -> None:
        tracks = self._memory.tracks
        tracks[organization] = tracks.get(organization, frozenset()) | set(track_ids)

    def age(self, collection_id: str, moment: str) -> None:
        rows, then = self._memory.collections, datetime.fromisoformat(moment)
        rows[collection_id] = rows[collection_id]._replace(created_at=then, updated_at=then)

    def fill(self, collection_id: str, track_ids: list[str]) -> None:
        rows = self._memory.collections
        self._memory.members[collection_id] = dict.fromkeys(track_ids, now())
        rows[collection_id] = rows[collection_id]._replace(track_count=len(track_ids))

    def snapshot(self, collection_id: str) -> list[str]:
        held = self._memory
        own = (held.collections.get(collection_id), held.members.get(collection_id))
        return [repr(shown) for shown in (*own, sorted(held.collections.items()), len(held.answers), held.tracks)]


def _obey(hand: Hand) -> None:
    for line in sys.stdin:
        what, arguments = json.loads(line)
        answer: Any = getattr(hand, what)(**arguments)
        print(json.dumps(answer), flush=True)


def main() -> int:
    """Serve until a signal."""
    chosen, memory = settings.load(), Memory()
    log_config.configure(chosen.log_format, chosen.log_level)
    application = app.create_mock(chosen, memory)
    threading.Thread(target=_obey, args=(Hand(memory),), daemon=True).start()
    opened = sockets.listen(chosen.host, chosen.port)
    announce = partial(
        print, f"Music Studio listens on {sockets.url(chosen.host, opened)}", file=sys.stderr, flush=True
    )
    return serving.serve(application, opened, chosen.shutdown_timeout_seconds, announce, nullcontext())


if __name__ == "__main__":
    sys.exit(main())
