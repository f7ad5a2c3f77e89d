"""Share links for an operator: listed and revoked, without their tokens, which nobody has but their owners."""

from typing import Any

from models import shares
from models.base import now
from models.shares import ShareLink
from ops.errors import CommandError

COLUMNS = (
    "id", "organization_id", "user_id", "target", "visibility", "state", "created_at", "expires_at", "revoked_at",
    "resolve_count",
)  # fmt: skip
BRIEF_COLUMNS = ("id", "organization_id", "user_id", "target", "state", "expires_at", "resolve_count")


def listed(organization_id: str | None, user_id: str | None) -> list[dict[str, Any]]:
    """The links of one organization or user, or of all, oldest first."""
    return [_view(link) for link in shares.list_all(organization_id, user_id)]


def revoke(share_ids: list[str], organization_id: str | None, user_id: str | None) -> list[dict[str, Any]]:
    """Revokes these links, or all links of a user; returns them. Raises CommandError, and has revoked none then."""
    if not share_ids and user_id is None:
        raise CommandError("Name the links to revoke, or their user with --user.")
    links = shares.list_all(organization_id, user_id)
    if missing := sorted(set(share_ids) - {link.id for link in links}):
        raise CommandError(f"There is no such share link {missing[0]}: `music-studio shares list` shows all links.")
    chosen = {(link.organization_id, link.id): link for link in links if not share_ids or link.id in share_ids}
    shares.revoke_links((link.organization_id, link.user_id, link.id) for link in chosen.values())
    after = shares.list_all(organization_id, user_id)
    return [_view(link) for link in after if (link.organization_id, link.id) in chosen]


def _view(link: ShareLink) -> dict[str, Any]:
    """A link as it is printed."""
    facts = link._asdict() | {"target": link.track_id or link.collection_id, "state": _state(link)}
    return {name: facts[name] for name in COLUMNS}


def _state(link: ShareLink) -> str:
    if link.revoked_at is not None:
        return "revoked"
    return "expired" if link.expires_at is not None and link.expires_at <= now() else "active"
