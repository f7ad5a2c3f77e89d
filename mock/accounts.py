"""Users of the mock, whose API keys are the same at every start."""

from __future__ import annotations

from typing import NamedTuple

from models import keys, organizations
from ops import demo, demo_keys

PEPPER = b"mock"
# Valid on a mock only; fixed, so that examples can be copied between machines.
SECRETS = {
    "alice": "msk_mockAlice0000000000000000000004Fv26j",
    "bob": "msk_mockBob000000000000000000000004gKgDT",
    "mallory": "msk_mockMallory00000000000000000000uLeCF",
}


class Account(NamedTuple):
    """A user of the mock with the key; `name` is what the start-up text calls the user."""

    name: str
    organization_id: str
    user_id: str
    secret: str
    scopes: tuple[str, ...] = demo_keys.SCOPES


class Contents(NamedTuple):
    """What is in the database at the start: the users, and ids of the first one to try requests with."""

    accounts: list[Account]
    collection_id: str | None
    track_ids: list[str]


DEMO = Contents(
    [Account(name, *demo.USERS[name], secret) for name, secret in SECRETS.items()],
    demo.COLLECTION,
    [piece.track_id for piece in demo.TRACKS],
)


def add_accounts(accounts: list[Account]) -> None:
    """Adds the users and their keys to the current database."""
    for account in accounts:
        organizations.join(account.organization_id, account.user_id)
        keys.make(account.organization_id, account.user_id, account.scopes, pepper=PEPPER, secret=account.secret)
