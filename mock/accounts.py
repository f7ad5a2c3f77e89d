"""Who may call the mock: the demo's users, with keys that are the same at every start, and whoever is added."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from mock.memory import Memory
from models import keys
from models.base import new_id, now
from ops import demo, demo_keys

PEPPER = b"mock"
# They open nothing but a mock, so that an example can be copied from one machine to another.
SECRETS = {
    "alice": "msk_mockAlice0000000000000000000004Fv26j",
    "bob": "msk_mockBob000000000000000000000004gKgDT",
    "mallory": "msk_mockMallory00000000000000000000uLeCF",
}


class People:
    """The keys and who belongs where: of models/keys.py and models/organizations.py, what the authenticator asks."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def find(self, digest: bytes) -> keys.ApiKey | None:
        """The key with this digest."""
        return self._memory.keys.get(digest)

    def organizations_of(self, user_id: str) -> frozenset[str]:
        """Those in which the user has a key."""
        return frozenset(key.organization_id for key in self._memory.keys.values() if key.user_id == user_id)

    def note_uses(self, key_ids: frozenset[str]) -> None:
        """Nobody looks at when a key of the mock was last used."""

    def add(
        self,
        secret: str,
        organization_id: str,
        user_id: str,
        scopes: Iterable[str] = demo_keys.SCOPES,
        state: str = "active",
        expires_at: datetime | None = None,
        rate_limit: str | None = None,
    ) -> keys.ApiKey:
        """Let this secret be a key of that user."""
        key = keys.ApiKey(
            id=new_id("mkey_"),
            organization_id=organization_id,
            user_id=user_id,
            hint=secret[: keys.HINT_LENGTH],
            scopes=frozenset(scopes),
            state=state,
            created_at=now(),
            expires_at=expires_at,
            last_used_at=None,
            rate_limit=rate_limit,
            replaced_by=None,
        )
        self._memory.keys[keys.digest(secret, PEPPER)] = key
        return key

    def add_demo(self) -> None:
        """Let in the demo's users with their printed keys."""
        for name, (organization_id, user_id) in demo.USERS.items():
            self.add(SECRETS[name], organization_id, user_id)
