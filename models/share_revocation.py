"""Revocation of share links: by their owners, by operators, and of those who leave an organization.

The token of a revoked link is deleted, so it is unknown from then on; that of an expired one is, some time later.
"""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import bindparam, delete

from models.access import Caller
from models.base import now
from models.db import connection
from models.exceptions import NotFound
from models.retention import batch_end, delete_before
from models.share_queries import DELETE_TOKEN, FIND, REVOKE, REVOKE_ALL
from models.share_tables import share_tokens

OwnedLink = tuple[str, str, str]
"""Organization, user and id of a link."""

BATCH_END = batch_end(share_tokens.c.ends_at)
DELETE_BATCH_ROWS = delete(share_tokens).where(share_tokens.c.ends_at < bindparam("before"))


@connection.transaction
def revoke(caller: Caller, organization_id: str, share_id: str) -> None:
    """Ends a link of the caller; no effect if it is revoked already. Raises NotFound."""
    if organization_id in caller.organizations:
        link = (organization_id, caller.user_id, share_id)
        if _end(link) or connection.fetch_one(FIND, **_binds(link)) is not None:
            return
    raise NotFound("Share link not found or not owned by caller", share_id=share_id)


@connection.transaction
def revoke_all_of(organization_id: str, user_id: str) -> int:
    """Ends every link of a user in an organization; returns how many were not revoked before."""
    ended = connection.fetch_all(REVOKE_ALL, organization=organization_id, user=user_id, now=now())
    connection.execute_many(DELETE_TOKEN, [{"organization": organization_id, "link": row.id} for row in ended])
    return len(ended)


@connection.transaction
def revoke_links(links: Iterable[OwnedLink]) -> int:
    """Ends these links, whoever owns them; returns how many there are and were not revoked before."""
    return sum(_end(link) for link in links)


def delete_expired_tokens(older_than: timedelta) -> int:
    """Deletes the tokens of links that expired so long ago; returns their number. Raises Unavailable."""
    return delete_before(BATCH_END, DELETE_BATCH_ROWS, now() - older_than)


def _end(link: OwnedLink) -> bool:
    """Whether the link was not revoked before."""
    if connection.fetch_one(REVOKE, **_binds(link), now=now()) is None:
        return False
    organization_id, _, link_id = link
    connection.execute(DELETE_TOKEN, organization=organization_id, link=link_id)
    return True


def _binds(link: OwnedLink) -> dict[str, object]:
    organization_id, user_id, link_id = link
    return {"organization": organization_id, "user": user_id, "link": link_id}
