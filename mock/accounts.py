"""Database of the mock: in-memory SQLite with the demo data, and users whose API keys are the same at every start."""

from __future__ import annotations

from models import keys, organizations
from models.audio_store import AudioStore
from models.db import migrate
from models.db.database import Database
from ops import demo, demo_audio, demo_keys

PEPPER = b"mock"
# Valid on a mock only; fixed, so that examples can be copied between machines.
SECRETS = {
    "alice": "msk_mockAlice0000000000000000000004Fv26j",
    "bob": "msk_mockBob000000000000000000000004gKgDT",
    "mallory": "msk_mockMallory00000000000000000000uLeCF",
}


def open_demo_database(store: AudioStore) -> Database:
    """A new in-memory database with the demo data; its tracks get a tone in the store."""
    database = Database("sqlite://")
    migrate.upgrade(database.url)
    with database.use():
        demo.load(PEPPER)
        demo_audio.add("tone", store)
        for name, (organization_id, user_id) in demo.USERS.items():
            organizations.join(organization_id, user_id)
            keys.make(organization_id, user_id, demo_keys.SCOPES, pepper=PEPPER, secret=SECRETS[name])
    return database
