"""The mock as a client meets it: a real process that listens, whose people and rows are changed from outside."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from models.base import new_id
from models.keys import new_secret
from tools.testing.service import ALICE, HOME, READ, WRITE, Service, start


class Mocked(Service):
    """What `Service` does past the server is asked of `tools.testing.mock_process`, line by line."""

    is_counted = False

    def _start(self, settings: Mapping[str, str], program: Sequence[str]) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        with self.log.open("wb") as file:
            return start(
                ["-m", "tools.testing.mock_process"], {"PORT": "0", **settings}, stdin=pipe, stdout=pipe, stderr=file
            )

    def _opened(self) -> None:
        return None

    def stop(self) -> None:
        """Waits for the end, and closes the pipes."""
        super().stop()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()

    def _ask(self, what: str, **arguments: object) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([what, arguments], default=str).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def key(
        self,
        user: str,
        organization: str = HOME,
        scopes: Sequence[str] = (READ, WRITE),
        *,
        state: str = "active",
        expires_at: datetime | None = None,
        rate_limit: str | None = None,
    ) -> tuple[str, str]:
        whose = {"secret": new_secret(), "user": user, "organization": organization}
        terms = {"scopes": scopes, "state": state, "expires_at": expires_at, "rate_limit": rate_limit}
        return self._ask("key", **whose, **terms), whose["secret"]

    def set_state(self, key_id: str, state: str) -> None:
        self._ask("set_state", key_id=key_id, state=state)

    def make_tracks(self, count: int, organization: str = HOME, creator: str = ALICE) -> list[str]:
        ids = [new_id("mtrack_") for _ in range(count)]
        self._ask("add_tracks", organization=organization, track_ids=ids)
        return ids

    def age(self, collection_id: str) -> str:
        self._ask("age", collection_id=collection_id, moment=datetime(2020, 1, 1, tzinfo=UTC))
        return "2020-01-01T00:00:00Z"

    def fill(self, collection_id: str, track_ids: Sequence[str]) -> None:
        self._ask("fill", collection_id=collection_id, track_ids=track_ids)

    def snapshot(self, collection_id: str) -> list[str]:
        shown: list[str] = self._ask("snapshot", collection_id=collection_id)
        return shown
