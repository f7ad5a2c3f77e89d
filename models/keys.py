"""API keys: created, found, changed, rotated and deleted; only digest and hint of a secret are stored.

Decisions 36 to 38.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from models import key_events, key_queries
from models.base import ID_TRIES, new_id, now
from models.db import connection
from models.key_events import PROGRAM, Actor, KeyEvent
from models.key_format import digest, new_secret, well_formed
from models.key_queries import ApiKey
from models.key_tables import api_keys
from models.revocation import wait_for_key_caches

__all__ = [
    "STATES",
    "USE_INTERVAL",
    "Actor",
    "ApiKey",
    "Rotation",
    "api_keys",
    "digest",
    "find",
    "get",
    "list_all",
    "log_expired",
    "make",
    "new_secret",
    "record_uses",
    "remove",
    "revoke_all",
    "rotate",
    "set_state",
    "well_formed",
]

# The event in the key log for each state.
STATES = {"active": "resumed", "paused": "paused", "deactivated": "revoked"}
HINT_LENGTH = 8
USE_INTERVAL = timedelta(minutes=1)
# Uses are written in batches, so that no writer waits long.
USE_BATCH = 200


class Rotation(NamedTuple):
    """The former key with its new expiry, its successor, and the successor's secret, which is stored nowhere."""

    former: ApiKey
    successor: ApiKey
    secret: str


@connection.transaction
def make(
    organization_id: str,
    user_id: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    *,
    pepper: bytes,
    rate_limit: str | None = None,
    key_id: str | None = None,
    secret: str | None = None,
    by: Actor = PROGRAM,
) -> tuple[ApiKey, str]:
    """Creates a key of a member; returns it with its secret, which is stored nowhere.

    `key_id` and `secret` may be given; then they must be unused.
    """
    secret = secret or new_secret()
    for _ in range(ID_TRIES):
        row = connection.fetch_one(
            key_queries.INSERT,
            id=key_id or new_id("mkey_"),
            organization_id=organization_id,
            user_id=user_id,
            digest=digest(secret, pepper),
            hint=secret[:HINT_LENGTH],
            scopes=frozenset(scopes),
            now=now(),
            expires_at=expires_at,
            rate_limit=rate_limit,
        )
        if row is not None:
            key = ApiKey._make(row)
            _log(key, "created", by, _terms(key))
            return key, secret
    raise RuntimeError("No free id was found for an API key.")


def find(digest: bytes) -> ApiKey | None:
    """The key with this digest, whatever its state and whether or not it has expired."""
    row = connection.fetch_one(key_queries.FIND, digest=digest)
    return None if row is None else ApiKey._make(row)


def get(key_id: str) -> ApiKey | None:
    """The key with this id, whatever its state and whether or not it has expired."""
    row = connection.fetch_one(key_queries.GET, key_id=key_id)
    return None if row is None else ApiKey._make(row)


def list_all(organization_id: str | None = None) -> list[ApiKey]:
    """The keys of one organization or of all, oldest first."""
    return [ApiKey._make(row) for row in connection.fetch_all(key_queries.LIST, organization_id=organization_id)]


@wait_for_key_caches
@connection.transaction
def set_state(key_id: str, state: str, by: Actor = PROGRAM) -> bool:
    """Sets the state of a key for every later request; False if there is no such key or it is revoked.

    Raises ValueError for an unknown state.
    """
    if state not in STATES:
        raise ValueError(f"The state of a key must be one of: {', '.join(STATES)}.")
    row = connection.fetch_one(key_queries.SET_STATE, key_id=key_id, new_state=state)
    if row is None:
        return False
    _log(ApiKey._make(row), STATES[state], by)
    return True


@connection.transaction
def revoke_all(organization_id: str, user_id: str, by: Actor = PROGRAM) -> int:
    """Revokes the keys of a user in an organization; returns their number. Does not wait for the caches of servers."""
    states = {"organization": organization_id, "user": user_id, "new_state": "deactivated"}
    rows = connection.fetch_all(key_queries.REVOKE_ALL, **states)
    for row in rows:
        _log(ApiKey._make(row), STATES["deactivated"], by)
    return len(rows)


@wait_for_key_caches
@connection.transaction
def rotate(key: ApiKey, overlap: timedelta, lifetime: timedelta | None, *, pepper: bytes,
           by: Actor = PROGRAM) -> Rotation | None:  # fmt: skip
    """Replaces an active key by one with the same user, scopes and rate limit; both are valid for `overlap`.

    The former key keeps its own expiry if that is earlier. The new key expires after `lifetime`, or never if it is
    None. Returns None if the key is paused, revoked, replaced or expired.
    """
    rotated_at = now()
    ends_at = min(filter(None, (key.expires_at, rotated_at + overlap)))
    expires_at = None if lifetime is None else rotated_at + lifetime
    successor_id = new_id("mkey_")
    row = connection.fetch_one(
        key_queries.RETIRE, key_id=key.id, now=rotated_at, ends_at=ends_at, successor_id=successor_id
    )
    if row is None:
        return None
    successor, secret = make(
        key.organization_id, key.user_id, key.scopes, expires_at,
        pepper=pepper, rate_limit=key.rate_limit, key_id=successor_id, by=by,
    )  # fmt: skip
    former = ApiKey._make(row)
    _log(former, "rotated", by, f"replaced by {successor.id}, works until {_format_time(ends_at)}")
    return Rotation(former, successor, secret)


@wait_for_key_caches
@connection.transaction
def remove(key_id: str, by: Actor = PROGRAM) -> bool:
    """Deletes the key; False if there is none with this id."""
    row = connection.fetch_one(key_queries.DELETE, key_id=key_id)
    if row is None:
        return False
    _log(ApiKey._make(row), "deleted", by)
    return True


def record_uses(key_ids: Iterable[str]) -> None:
    """Sets `last_used_at` of these keys, at most once a minute per key. Raises Unavailable."""
    used_at = now()
    binds = [{"key_id": key_id, "now": used_at, "before": used_at - USE_INTERVAL} for key_id in sorted(key_ids)]
    for start in range(0, len(binds), USE_BATCH):
        _record(binds[start : start + USE_BATCH])


@connection.transaction
def _record(binds: list[dict[str, object]]) -> None:
    connection.execute_many(key_queries.RECORD_USE, binds)


def log_expired(by: Actor = PROGRAM) -> int:
    """Adds the keys that have expired since the last call to the key log; returns their number. Raises Unavailable."""
    return len(connection.fetch_all(key_queries.LOG_EXPIRED, now=now(), **by._asdict()))


def _log(key: ApiKey, event: str, by: Actor, detail: str | None = None) -> None:
    key_events.record(KeyEvent(key.organization_id, now(), key.id, event, *by, detail))


def _terms(key: ApiKey) -> str:
    until = "never expires" if key.expires_at is None else f"expires {_format_time(key.expires_at)}"
    limit = f", {key.rate_limit}" if key.rate_limit else ""
    return f"for {key.user_id}, {' '.join(sorted(key.scopes))}, {until}{limit}"


def _format_time(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")
