"""API keys as they are kept: never the secret, only its digest and its first characters."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    or_,
    select,
    update,
)

from models import database, leases
from models.base import ID_TRIES, Instant, Words, insert_unless_there, metadata, new_id, now
from models.secret import digest, new_secret, well_formed

__all__ = [
    "STATES",
    "ApiKey",
    "digest",
    "find",
    "list_all",
    "make",
    "new_secret",
    "note_use",
    "set_state",
    "well_formed",
]

STATES = ("active", "paused", "deactivated")
HINT_LENGTH = 8
USE_INTERVAL = timedelta(minutes=1)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, nullable=False),
    Column("organization_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("hint", Text, nullable=False),
    Column("scopes", Words, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("last_used_at", Instant),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("digest"),
    ForeignKeyConstraint(["organization_id", "user_id"], ["memberships.organization_id", "memberships.user_id"]),
    CheckConstraint("length(digest) = 32", name="digest_length"),
    CheckConstraint("length(hint) = 8", name="hint_length"),
    CheckConstraint("length(scopes) <= 512", name="scopes_length"),
    CheckConstraint("state IN ('active', 'paused', 'deactivated')", name="state_known"),
    Index(None, "organization_id", "user_id"),
    sqlite_strict=True,
)


class ApiKey(NamedTuple):
    """A key without its secret; `hint` is how the secret begins, for people to tell keys apart."""

    id: str
    organization_id: str
    user_id: str
    hint: str
    scopes: frozenset[str]
    state: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


_COLUMNS = [api_keys.c[name] for name in ApiKey._fields]

INSERT = (
    insert_unless_there(api_keys)
    .values(
        id=bindparam("id"),
        organization_id=bindparam("organization_id"),
        user_id=bindparam("user_id"),
        digest=bindparam("digest"),
        hint=bindparam("hint"),
        scopes=bindparam("scopes"),
        state="active",
        created_at=bindparam("now"),
        expires_at=bindparam("expires_at"),
    )
    .returning(*_COLUMNS)
)

FIND = select(*_COLUMNS).where(api_keys.c.digest == bindparam("digest"))

LIST = (
    select(*_COLUMNS)
    .where(
        or_(
            bindparam("organization_id", type_=Text()).is_(None),
            api_keys.c.organization_id == bindparam("organization_id", type_=Text()),
        )
    )
    .order_by(api_keys.c.created_at, api_keys.c.id)
)

SET_STATE = update(api_keys).where(api_keys.c.id == bindparam("key_id")).values(state=bindparam("new_state"))

NOTE_USE = (
    update(api_keys)
    .where(
        api_keys.c.id == bindparam("key_id"),
        or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < bindparam("before")),
    )
    .values(last_used_at=bindparam("now"))
)


def make(
    organization_id: str,
    user_id: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    *,
    pepper: bytes,
) -> tuple[ApiKey, str]:
    """A new key of a member, and its secret, which is shown this once and kept nowhere."""
    secret = new_secret()
    for _ in range(ID_TRIES):
        row = database.one(
            INSERT,
            id=new_id("mkey_"),
            organization_id=organization_id,
            user_id=user_id,
            digest=digest(secret, pepper),
            hint=secret[:HINT_LENGTH],
            scopes=frozenset(scopes),
            now=now(),
            expires_at=expires_at,
        )
        if row is not None:
            return ApiKey._make(row), secret
    raise RuntimeError("No free id was found for an API key.")


def find(digest: bytes) -> ApiKey | None:
    """The key with this digest, whatever its state and whether or not it has expired."""
    row = database.one(FIND, digest=digest)
    return None if row is None else ApiKey._make(row)


def list_all(organization_id: str | None = None) -> list[ApiKey]:
    """The keys of one organization or of all, oldest first."""
    return [ApiKey._make(row) for row in database.many(LIST, organization_id=organization_id)]


def set_state(key_id: str, state: str) -> bool:
    """Whether there is such a key; it has the state for every request from now on.

    Raises ValueError for a state that is none.
    """
    if state not in STATES:
        raise ValueError(f"The state of a key is one of: {', '.join(STATES)}.")
    found = database.run(SET_STATE, key_id=key_id, new_state=state) == 1
    if found:
        leases.outlast()
    return found


def note_use(key_id: str) -> None:
    """Remember that the key was used now; writes at most once a minute for one key."""
    moment = now()
    database.run(NOTE_USE, key_id=key_id, now=moment, before=moment - USE_INTERVAL)
