"""The mock's database in memory: the demo's rows, and users with keys that are the same at every start."""

from __future__ import annotations

from models import keys, organizations
from models.db import migrate
from models.db.database import Database
from ops import demo, demo_keys

PEPPER = b"mock"
# They open nothing but a mock, so that an example can be copied from one machine to another.
SECRETS = {
    "alice": "msk_mockAlice0000000000000000000004Fv26j",
    "bob": "msk_mockBob000000000000000000000004gKgDT",
    "mallory": "msk_mockMallory00000000000000000000uLeCF",
}


def open_demo_database() -> Database:
    """A new database in memory with the demo in it."""
    database = Database("sqlite://")
    migrate.upgrade(database.url)
    with database.use():
        demo.load()
        for name, (organization_id, user_id) in demo.USERS.items():
            organizations.join(organization_id, user_id)
            keys.make(organization_id, user_id, demo_keys.SCOPES, pepper=PEPPER, secret=SECRETS[name])
    return database
