"""API keys as they are kept: never the secret, only its digest and its first characters."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from models import key_events, key_queries
from models.base import ID_TRIES, new_id, now
from models.db import connection
from models.key_events import PROGRAM, Actor, KeyEvent
from models.key_format import digest, new_secret, well_formed
from models.key_queries import ApiKey
from models.revocation import wait_for_key_caches
from models.schema import api_keys

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
    "rotate",
    "set_state",
    "well_formed",
]

# What each state is called in the log of events.
STATES = {"active": "resumed", "paused": "paused", "deactivated": "revoked"}
HINT_LENGTH = 8
USE_INTERVAL = timedelta(minutes=1)
# Uses are written a few at a time, so that no writer waits for long.
USES_AT_ONCE = 200


class Rotation(NamedTuple):
    """The former key, which ends soon, the new one, and the new one's secret, which is shown this once."""

    former: ApiKey
    made: ApiKey
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
    """A new key of a member, and its secret, which is shown this once and kept nowhere.

    `key_id` and `secret` ask for certain ones, which must be free.
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
            made = ApiKey._make(row)
            _log(made, "created", by, _terms(made))
            return made, secret
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
    """Whether there is such a key that may have the state; it has it for every request from now on.

    A revoked key stays revoked. Raises ValueError for a state that is none.
    """
    if state not in STATES:
        raise ValueError(f"The state of a key is one of: {', '.join(STATES)}.")
    row = connection.fetch_one(key_queries.SET_STATE, key_id=key_id, new_state=state)
    if row is None:
        return False
    _log(ApiKey._make(row), STATES[state], by)
    return True


@wait_for_key_caches
@connection.transaction
def rotate(key: ApiKey, overlap: timedelta, lifetime: timedelta | None, *, pepper: bytes,
           by: Actor = PROGRAM) -> Rotation | None:  # fmt: skip
    """Put a new key with the same user, scopes and limit in the place of one that is active; both work for `overlap`.

    The former key ends earlier where it would have ended earlier anyhow. The new one lives for `lifetime`, or without
    end. None when the key was paused, revoked or replaced, or has ended meanwhile.
    """
    moment = now()
    ends_at = min(filter(None, (key.expires_at, moment + overlap)))
    expires_at = None if lifetime is None else moment + lifetime
    successor_id = new_id("mkey_")
    row = connection.fetch_one(
        key_queries.RETIRE, key_id=key.id, now=moment, ends_at=ends_at, successor_id=successor_id
    )
    if row is None:
        return None
    made, secret = make(
        key.organization_id, key.user_id, key.scopes, expires_at,
        pepper=pepper, rate_limit=key.rate_limit, key_id=successor_id, by=by,
    )  # fmt: skip
    former = ApiKey._make(row)
    _log(former, "rotated", by, f"replaced by {made.id}, works until {_written(ends_at)}")
    return Rotation(former, made, secret)


@wait_for_key_caches
@connection.transaction
def remove(key_id: str, by: Actor = PROGRAM) -> bool:
    """Whether there was a key of this id; it is forgotten altogether."""
    row = connection.fetch_one(key_queries.DELETE, key_id=key_id)
    if row is None:
        return False
    _log(ApiKey._make(row), "deleted", by)
    return True


def record_uses(key_ids: Iterable[str]) -> None:
    """Remember that these keys were used now; writes at most once a minute for one key. Raises Unavailable."""
    moment = now()
    binds = [{"key_id": key_id, "now": moment, "before": moment - USE_INTERVAL} for key_id in sorted(key_ids)]
    for start in range(0, len(binds), USES_AT_ONCE):
        _record(binds[start : start + USES_AT_ONCE])


@connection.transaction
def _record(binds: list[dict[str, object]]) -> None:
    connection.execute_many(key_queries.RECORD_USE, binds)


def log_expired(by: Actor = PROGRAM) -> int:
    """Add to the log which keys have expired since it was last asked; returns how many. Raises Unavailable."""
    return len(connection.fetch_all(key_queries.LOG_EXPIRED, now=now(), **by._asdict()))


def _log(key: ApiKey, event: str, by: Actor, detail: str | None = None) -> None:
    key_events.record(KeyEvent(key.organization_id, now(), key.id, event, *by, detail))


def _terms(key: ApiKey) -> str:
    until = "never expires" if key.expires_at is None else f"expires {_written(key.expires_at)}"
    limit = f", {key.rate_limit}" if key.rate_limit else ""
    return f"for {key.user_id}, {' '.join(sorted(key.scopes))}, {until}{limit}"


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
