"""Keys as an operator handles them: made, rotated, listed, paused, resumed and revoked, and what became of them."""

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
EVENT_COLUMNS = key_events.KeyEvent._fields
SCOPES = ("music:read", "music:write")
STATE_AFTER = {"pause": "paused", "resume": "active", "revoke": "deactivated"}
LIMIT = re.compile("off|[1-9][0-9]{0,8}/(second|minute|hour|day)")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
MAX_OVERLAP = timedelta(days=366)


def author(command: str) -> Actor:
    """Who runs this command, as the machine knows them: the account, and who has logged in when that is another."""
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
    """Make a key, and its organization and user when they are new; no days: it does not expire. Raises Refusal."""
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise CommandError(f"{unknown[0]!r} is not a scope: choose {' or '.join(SCOPES)}.")
    if rate_limit is not None and not LIMIT.fullmatch(rate_limit):
        raise CommandError(f"{rate_limit!r} is not a limit: it is `off` or a number per unit, such as 500/minute.")
    made, secret = _make(organization_id, user_id, scopes or SCOPES, expires_in_days, pepper, rate_limit, by)
    return _view(made), secret


def rotate(
    key_id: str, overlap: str, expires_in_days: int | None, pepper: bytes, by: Actor
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The former key, the one in its place, and its secret; no days: it lives as long as the former was made for.

    Raises Refusal.
    """
    former = _found(key_id)
    _require_rotatable(former)
    lived = None if former.expires_at is None else former.expires_at - former.created_at
    lifetime = lived if expires_in_days is None else timedelta(days=expires_in_days)
    done = keys.rotate(former, parse_duration(overlap), lifetime, pepper=pepper, by=by)
    if done is None:
        _require_rotatable(_found(key_id))
        raise CommandError(f"The key {key_id} was changed at the same moment: try again.")
    return _view(done.former), _view(done.made), done.secret


def listed(organization_id: str | None) -> list[dict[str, Any]]:
    """Every key without its secret, oldest first."""
    return [_view(key) for key in keys.list_all(organization_id)]


def events(organization_id: str | None) -> list[dict[str, Any]]:
    """What became of the keys and who did it, oldest first."""
    return [event._asdict() for event in key_events.list_all(organization_id)]


def change(key_id: str, action: str, by: Actor) -> dict[str, Any]:
    """Pause, resume or revoke a key, from the next request on. Raises Refusal for no such key or a revoked one."""
    _found(key_id)
    if not keys.set_state(key_id, STATE_AFTER[action], by):
        raise CommandError(f"The key {key_id} was revoked, and that is for good: make a new one.")
    return _view(_found(key_id))


def join(organization_id: str, user_id: str) -> None:
    """Make the organization and the membership when they are new. Raises Refusal for an id of the wrong form."""
    try:
        organizations.join(organization_id, user_id)
    except ValueError as reason:
        raise CommandError(str(reason)) from reason


def parse_duration(text: str) -> timedelta:
    """A length of time: a whole number and s, m, h or d. Raises Refusal for another form, or more than a year."""
    found = re.fullmatch("([0-9]{1,9})([smhd])", text)
    length = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else None
    if length is None or length > MAX_OVERLAP:
        raise CommandError(f"{text!r} is not a length of time up to a year: write it like 30m, 24h or 7d.")
    return length


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


def _found(key_id: str) -> ApiKey:
    key = keys.get(key_id)
    if key is None:
        raise CommandError(f"There is no key {key_id}: `music-studio keys list` shows all.")
    return key


def _require_rotatable(key: ApiKey) -> None:
    """Raises Refusal for a key whose successor would open what is shut."""
    if key.state == "deactivated":
        raise CommandError(f"The key {key.id} was revoked, and that is for good: make a new one.")
    if key.state == "paused":
        raise CommandError(f"The key {key.id} is paused: resume it first.")
    if key.replaced_by is not None:
        raise CommandError(f"The key {key.id} was replaced by {key.replaced_by} already: rotate that one.")
    if key.expires_at is not None and key.expires_at <= now():
        raise CommandError(f"The key {key.id} has expired: make a new one.")


def _account() -> str:
    number: Callable[[], int] = getattr(os, "getuid", lambda: 0)
    try:
        import pwd

        return pwd.getpwuid(number()).pw_name
    except (ImportError, KeyError):  # another kind of machine, or a container's number without a name
        return f"uid {number()}"


def _view(key: ApiKey) -> dict[str, Any]:
    """A key as people see it: one whose time is over is expired, whatever else it may be but revoked."""
    over = key.state != "deactivated" and key.expires_at is not None and key.expires_at <= now()
    return key._asdict() | {"scopes": sorted(key.scopes), "state": "expired" if over else key.state}
