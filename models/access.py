"""The caller of a request: a user, the user's organizations and scopes.

Decision 22.
"""

from dataclasses import dataclass, field

from models.exceptions import AccessDenied


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user. `key_id` is None without an API key, `rate_limit` if the key has no limit of its own.

    `checked_at` is the time of the query that found credential and memberships valid, in seconds of time.monotonic().
    """

    user_id: str
    organizations: frozenset[str]
    scopes: frozenset[str]
    key_id: str | None
    rate_limit: str | None = None
    checked_at: float = field(default=float("inf"), compare=False)


def require_membership(caller: Caller, organization_id: str) -> None:
    """Raises AccessDenied unless the caller is a member; the same error whether or not the organization exists."""
    if organization_id not in caller.organizations:
        raise AccessDenied("The caller does not belong to this organization", organization_id=organization_id)
