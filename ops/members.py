"""What operators do with the members of an organization: list, add and remove them."""

from collections.abc import Callable, Mapping
from typing import Any

from models import focus_retention, generations, keys, organizations, shares
from models.db import connection
from models.keys import Actor
from models.organizations import Member
from models.revocation import wait_for_key_caches
from ops.errors import CommandError

COLUMNS = ("user_id", "since", "removed_at")

# What ends with a membership: each function takes the organization and the user, ends what the user has there, and
# returns how much that was, which is printed under the name.
ENDED_WITH_MEMBERSHIP: Mapping[str, Callable[[str, str], int]] = {
    "cancelled_jobs": generations.cancel_all,
    "revoked_links": shares.revoke_all_of,
    "ended_sessions": focus_retention.end_all_of,
}


def listed(organization_id: str, *, removed: bool = False) -> list[dict[str, Any]]:
    """The members, and on request the former ones, by user id. Raises CommandError."""
    require_organization(organization_id)
    return [_view(each) for each in organizations.members(organization_id) if removed or each.ended_at is None]


def add(organization_id: str, user_id: str) -> dict[str, Any]:
    """Makes a user a member, also a former one, in an organization that is created if it is new. Raises CommandError.

    Keys that were revoked stay so.
    """
    try:
        organizations.join(organization_id, user_id)
    except ValueError as reason:
        raise CommandError(str(reason)) from reason
    return _view(_require_member(organization_id, user_id))


def remove(organization_id: str, user_id: str, by: Actor) -> dict[str, Any]:
    """Ends a membership, and what hangs on it; returns what ended. Raises CommandError for who never was a member.

    What a request of the user still writes is written before this returns, so nothing begins after it has ended.
    Repeated, it ends what an interrupted one has left.
    """
    _require_member(organization_id, user_id)
    was_member, revoked = end([user_id], organization_id, by)
    counts = {name: end_all(organization_id, user_id) for name, end_all in ENDED_WITH_MEMBERSHIP.items()}
    facts = {"organization_id": organization_id, "user_id": user_id, "was_member": bool(was_member)}
    return facts | {"revoked_keys": revoked} | counts


@wait_for_key_caches
@connection.transaction
def end(user_ids: list[str], organization_id: str, by: Actor) -> tuple[int, int]:
    """Ends memberships and revokes the keys of the users; returns their numbers, once no server knows better."""
    ended = [user_id for user_id in user_ids if organizations.end_membership(organization_id, user_id)]
    return len(ended), sum(keys.revoke_all(organization_id, user_id, by) for user_id in user_ids)


def sentences(removed: Mapping[str, Any]) -> list[str]:
    """The result of a removal for people."""
    user, organization = removed["user_id"], removed["organization_id"]
    first = (
        f"{user} is no member of {organization} any more."
        if removed["was_member"]
        else (f"{user} was removed from {organization} before.")
    )
    counts = ", ".join(f"{removed[name]} {name.replace('_', ' ')}" for name in ("revoked_keys", *ENDED_WITH_MEMBERSHIP))
    return [first, f"Ended: {counts}. Tracks stay with the organization."]


def require_organization(organization_id: str) -> None:
    """Raises CommandError unless there is such an organization."""
    if not organizations.exists(organization_id):
        raise CommandError(f"There is no organization {organization_id}.")


def _require_member(organization_id: str, user_id: str) -> Member:
    require_organization(organization_id)
    member = organizations.find_member(organization_id, user_id)
    if member is None:
        command = f"music-studio members list {organization_id}"
        raise CommandError(f"There is no member {user_id} of {organization_id}: `{command}` shows all members.")
    return member


def _view(member: Member) -> dict[str, Any]:
    return {"user_id": member.user_id, "since": member.created_at, "removed_at": member.ended_at}
