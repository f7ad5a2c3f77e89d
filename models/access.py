"""Who is asking: the user behind a credential, and the organizations in which that user may act."""

from dataclasses import dataclass

from models.exceptions import AccessDenied


@dataclass(frozen=True, slots=True)
class Caller:
    """One user; `key_id` is None when the credential was not an API key, `rate_limit` when the key has no own one."""

    user_id: str
    organizations: frozenset[str]
    scopes: frozenset[str]
    key_id: str | None
    rate_limit: str | None = None


def require_membership(caller: Caller, organization_id: str) -> None:
    """Raises AccessDenied, in the same words for an organization that exists and for one that does not."""
    if organization_id not in caller.organizations:
        raise AccessDenied("The caller does not belong to this organization", organization_id=organization_id)
