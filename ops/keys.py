"""API keys for an operator: create, rotate, list, pause, resume, revoke, and the log of these changes."""

import os
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from models import key_events, keys, organizations
from models.base import now
from models.db import connection
from models.keys import Actor, ApiKey
from ops.errors import CommandError

COLUMNS = ApiKey._fields
BRIEF_COLUMNS = ("id", "organization_id", "user_id", "scopes", "state", "expires_at", "last_used_at")
EVENT_COLUMNS = key_events.KeyEvent._fields
BRIEF_EVENT_COLUMNS = ("happened_at", "key_id", "event", "actor", "command", "detail")
SCOPES = ("music:read", "music:write")
STATE_AFTER = {"pause": "paused", "resume": "active", "revoke": "deactivated"}
LIMIT = re.compile("off|[1-9][0-9]{0,8}/(second|minute|hour|day)")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
MAX_DURATION = timedelta(days=366)


def author(command: str) -> Actor:
    """The actor of this command: the account of the process, and the login name if it differs."""
    account = _account()
    try:
        person = os.getlogin()
    except OSError:  # no terminal
        person = account
    return Actor(account if person == account else f"{person} as {account}", command)


def create(
    organization_id: str,
    user_id: str,
    scopes: Sequence[str],
    expires_in_days: int | None,
    pepper: bytes,
    *,
    rate_limit: str | None = None,
    by: Actor,
) -> tuple[dict[str, Any], str]:
    """Creates a key, and its organization and user if they are new; returns the key and its secret.

    `expires_in_days`: None for a key that does not expire. Raises CommandError.
    """
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise CommandError(f"{unknown[0]!r} is not a scope: choose {' or '.join(SCOPES)}.")
    if rate_limit is not None and not LIMIT.fullmatch(rate_limit):
        raise CommandError(f"{rate_limit!r} is not a rate limit: use `off` or a number per unit, such as 500/minute.")
    key, secret = _make(organization_id, user_id, scopes or SCOPES, expires_in_days, pepper, rate_limit, by)
    return _view(key), secret


def rotate(
    key_id: str, overlap: str, expires_in_days: int | None, pepper: bytes, by: Actor
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Rotates a key; returns the old key, the new key, and the new secret. Raises CommandError.

    `expires_in_days`: None for the lifetime of the old key.
    """
    former = _require_key(key_id)
    _require_rotatable(former)
    old_lifetime = None if former.expires_at is None else former.expires_at - former.created_at
    lifetime = old_lifetime if expires_in_days is None else timedelta(days=expires_in_days)
    rotation = keys.rotate(former, parse_duration(overlap), lifetime, pepper=pepper, by=by)
    if rotation is None:
        _require_rotatable(_require_key(key_id))
        raise CommandError(f"The key {key_id} was changed at the same time: try again.")
    return _view(rotation.former), _view(rotation.successor), rotation.secret


def listed(organization_id: str | None) -> list[dict[str, Any]]:
    """All keys without their secrets, oldest first."""
    return [_view(key) for key in keys.list_all(organization_id)]


def events(organization_id: str | None) -> list[dict[str, Any]]:
    """The key log, oldest event first."""
    return [event._asdict() for event in key_events.list_all(organization_id)]


def change(key_id: str, action: str, by: Actor) -> dict[str, Any]:
    """Pauses, resumes or revokes a key. Raises CommandError if it does not exist or was revoked."""
    _require_key(key_id)
    if not keys.set_state(key_id, STATE_AFTER[action], by):
        raise CommandError(f"The key {key_id} was revoked for good: create a new key.")
    return _view(_require_key(key_id))


def join(organization_id: str, user_id: str) -> None:
    """Creates the organization and the membership if they are new. Raises CommandError for an invalid id."""
    try:
        organizations.join(organization_id, user_id)
    except ValueError as reason:
        raise CommandError(str(reason)) from reason


def parse_duration(text: str) -> timedelta:
    """The duration in a text such as 30m, 24h or 7d (s, m, h, d), at most 366 days. Raises CommandError."""
    match = re.fullmatch("([0-9]{1,9})([smhd])", text)
    duration = timedelta(**{UNITS[match[2]]: int(match[1])}) if match else None
    if duration is None or duration > MAX_DURATION:
        raise CommandError(f"{text!r} is not a duration up to a year: use a form such as 30m, 24h or 7d.")
    return duration


@connection.transaction
def _make(
    organization_id: str,
    user_id: str,
    scopes: Sequence[str],
    days: int | None,
    pepper: bytes,
    rate_limit: str | None,
    by: Actor,
) -> tuple[ApiKey, str]:
    join(organization_id, user_id)
    expires_at = None if days is None else now() + timedelta(days=days)
    return keys.make(organization_id, user_id, scopes, expires_at, pepper=pepper, rate_limit=rate_limit, by=by)


def _require_key(key_id: str) -> ApiKey:
    key = keys.get(key_id)
    if key is None:
        raise CommandError(f"There is no key {key_id}: `music-studio keys list` shows all keys.")
    return key


def _require_rotatable(key: ApiKey) -> None:
    """Raises CommandError for a key that is not active: its rotation would restore access."""
    if key.state == "deactivated":
        raise CommandError(f"The key {key.id} was revoked for good: create a new key.")
    if key.state == "paused":
        raise CommandError(f"The key {key.id} is paused: resume it first.")
    if key.replaced_by is not None:
        raise CommandError(f"The key {key.id} was replaced by {key.replaced_by}: rotate that key.")
    if key.expires_at is not None and key.expires_at <= now():
        raise CommandError(f"The key {key.id} has expired: create a new key.")


def _account() -> str:
    number: Callable[[], int] = getattr(os, "getuid", lambda: 0)
    try:
        import pwd

        return pwd.getpwuid(number()).pw_name
    except (ImportError, KeyError):  # not Unix, or a user id without a name in a container
        return f"uid {number()}"


def _view(key: ApiKey) -> dict[str, Any]:
    """A key as it is printed; after its expiry its state is `expired`, unless it was revoked."""
    expired = key.state != "deactivated" and key.expires_at is not None and key.expires_at <= now()
    return key._asdict() | {"scopes": sorted(key.scopes), "state": "expired" if expired else key.state}
