"""Row type and statements of the table `api_keys`."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    Text,
    bindparam,
    delete,
    literal,
    or_,
    select,
    update,
)

from models.key_tables import api_keys, key_events
from models.upsert import insert_or_ignore


class ApiKey(NamedTuple):
    """An API key without its secret; `hint` is the first 8 characters of the secret, shown to tell keys apart.

    `rate_limit` is the key's own rate, such as 500/minute; None means the server's. `replaced_by` is the id of the key
    that replaced it in a rotation.
    """

    id: str
    organization_id: str
    user_id: str
    hint: str
    scopes: frozenset[str]
    state: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    rate_limit: str | None
    replaced_by: str | None


_COLUMNS = [api_keys.c[name] for name in ApiKey._fields]

INSERT = (
    insert_or_ignore(api_keys)
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
        rate_limit=bindparam("rate_limit"),
    )
    .returning(*_COLUMNS)
)

FIND = select(*_COLUMNS).where(api_keys.c.digest == bindparam("digest"))

GET = select(*_COLUMNS).where(api_keys.c.id == bindparam("key_id"))

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

# A revoked key stays revoked, also in concurrent changes: only revoking it again is allowed.
SET_STATE = (
    update(api_keys)
    .where(
        api_keys.c.id == bindparam("key_id"),
        or_(api_keys.c.state != "deactivated", bindparam("new_state", type_=Text()) == "deactivated"),
    )
    .values(state=bindparam("new_state"))
    .returning(*_COLUMNS)
)

REVOKE_ALL = (
    update(api_keys)
    .where(
        api_keys.c.organization_id == bindparam("organization"),
        api_keys.c.user_id == bindparam("user"),
        api_keys.c.state != "deactivated",
    )
    .values(state=bindparam("new_state"))
    .returning(*_COLUMNS)
)

# A key is replaced once; of two concurrent rotations, one writes nothing.
RETIRE = (
    update(api_keys)
    .where(
        api_keys.c.id == bindparam("key_id"),
        api_keys.c.state == "active",
        api_keys.c.replaced_by.is_(None),
        or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > bindparam("now")),
    )
    .values(expires_at=bindparam("ends_at"), replaced_by=bindparam("successor_id"))
    .returning(*_COLUMNS)
)

DELETE = delete(api_keys).where(api_keys.c.id == bindparam("key_id")).returning(*_COLUMNS)

RECORD_USE = (
    update(api_keys)
    .where(
        api_keys.c.id == bindparam("key_id"),
        or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at <= bindparam("before")),
    )
    .values(last_used_at=bindparam("now"))
)

# Each key has one expiry time, so logging it again inserts nothing.
# PostgreSQL's driver does not count the rows of an INSERT ... SELECT, so they are returned.
LOG_EXPIRED = (
    insert_or_ignore(key_events)
    .from_select(
        ["organization_id", "happened_at", "key_id", "event", "actor", "command"],
        select(
            api_keys.c.organization_id,
            api_keys.c.expires_at,
            api_keys.c.id,
            literal("expired", Text()),
            bindparam("actor", type_=Text()),
            bindparam("command", type_=Text()),
        ).where(api_keys.c.expires_at <= bindparam("now"), api_keys.c.state != "deactivated"),
    )
    .returning(key_events.c.key_id)
)
