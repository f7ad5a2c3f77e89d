"""Keys as an operator handles them: made, listed, paused, resumed and revoked."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from models import database, keys, organizations
from models.base import now
from ops.refusal import Refusal

COLUMNS = keys.ApiKey._fields
SCOPES = ("music:read", "music:write")
STATE_AFTER = {"pause": "paused", "resume": "active", "revoke": "deactivated"}


def create(
    organization_id: str, user_id: str, scopes: Sequence[str], expires_in_days: int | None, pepper: bytes
) -> tuple[dict[str, Any], str]:
    """Make a key, and its organization and user when they are new; no days: it does not expire. Raises Refusal."""
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise Refusal(f"{unknown[0]!r} is not a scope: choose {' or '.join(SCOPES)}.")
    made, secret = _make(organization_id, user_id, scopes or SCOPES, expires_in_days, pepper)
    return _view(made), secret


def listed(organization_id: str | None) -> list[dict[str, Any]]:
    """Every key without its secret, oldest first."""
    return [_view(key) for key in keys.list_all(organization_id)]


@database.transaction
def change(key_id: str, action: str) -> dict[str, Any]:
    """Pause, resume or revoke a key, from the next request on. Raises Refusal for no such key or a revoked one."""
    found = next((key for key in keys.list_all() if key.id == key_id), None)
    if found is None:
        raise Refusal(f"There is no key {key_id}: `python cli.py keys list` shows all.")
    if found.state == "deactivated" and action != "revoke":
        raise Refusal(f"The key {key_id} was revoked, and that is for good: make a new one.")
    keys.set_state(key_id, STATE_AFTER[action])
    return _view(found._replace(state=STATE_AFTER[action]))


def join(organization_id: str, user_id: str) -> None:
    """Make the organization and the membership when they are new. Raises Refusal for an id of the wrong form."""
    try:
        organizations.join(organization_id, user_id)
    except ValueError as reason:
        raise Refusal(str(reason)) from reason


@database.transaction
def _make(
    organization_id: str, user_id: str, scopes: Sequence[str], days: int | None, pepper: bytes
) -> tuple[keys.ApiKey, str]:
    join(organization_id, user_id)
    expires_at = None if days is None else now() + timedelta(days=days)
    return keys.make(organization_id, user_id, scopes, expires_at, pepper=pepper)


def _view(key: keys.ApiKey) -> dict[str, Any]:
    return key._asdict() | {"scopes": sorted(key.scopes)}
