"""Organizations and their members."""

import re

from sqlalchemy import (
    bindparam,
    select,
)

from models.base import insert_or_ignore, now
from models.db import connection
from models.schema import memberships, organizations

ORGANIZATION = re.compile(r"org_[A-Za-z0-9]{1,32}")
USER = re.compile(r"[!-~]{1,64}")


INSERT = insert_or_ignore(organizations).values(id=bindparam("organization_id"), created_at=bindparam("now"))

JOIN = insert_or_ignore(memberships).values(
    organization_id=bindparam("organization_id"), user_id=bindparam("user_id"), created_at=bindparam("now")
)

EXISTS = select(organizations.c.id).where(organizations.c.id == bindparam("organization_id"))

ORGANIZATIONS_OF = select(memberships.c.organization_id).where(memberships.c.user_id == bindparam("user_id"))


def join(organization_id: str, user_id: str) -> None:
    """Adds the user to the organization, which is created if it is new. Raises ValueError for an invalid id."""
    _require_valid_ids(organization_id, user_id)
    _join(organization_id, user_id)


def exists(organization_id: str) -> bool:
    """Whether there is an organization with this id."""
    return connection.fetch_one(EXISTS, organization_id=organization_id) is not None


def organizations_of(user_id: str) -> frozenset[str]:
    """The ids of the user's organizations."""
    return frozenset(row.organization_id for row in connection.fetch_all(ORGANIZATIONS_OF, user_id=user_id))


def _require_valid_ids(organization_id: str, user_id: str) -> None:
    if not ORGANIZATION.fullmatch(organization_id):
        raise ValueError("An organization id is org_ and 1 to 32 letters or digits, such as org_abc123.")
    if not USER.fullmatch(user_id):
        raise ValueError("A user id is 1 to 64 visible ASCII characters without spaces, such as alice.")


@connection.transaction
def _join(organization_id: str, user_id: str) -> None:
    connection.execute(INSERT, organization_id=organization_id, now=now())
    connection.execute(JOIN, organization_id=organization_id, user_id=user_id, now=now())
