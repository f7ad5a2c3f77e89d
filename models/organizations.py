"""Organizations and their members; the row of a former member stays, because tracks and collections refer to it."""

import re
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    bindparam,
    null,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from models.base import now
from models.db import connection
from models.schema import memberships, organizations
from models.upsert import insert_or_ignore, insert_or_update

ORGANIZATION = re.compile(r"org_[A-Za-z0-9]{1,32}")
USER = re.compile(r"[!-~]{1,64}")


class Member(NamedTuple):
    """A member of an organization; `ended_at` is None but for a former one."""

    organization_id: str
    user_id: str
    created_at: datetime
    ended_at: datetime | None


_rows = memberships.c
_COLUMNS = [_rows[name] for name in Member._fields]
_IN_ORGANIZATION = _rows.organization_id == bindparam("organization_id")
_IS_CURRENT = _rows.ended_at.is_(None)

INSERT = insert_or_ignore(organizations).values(id=bindparam("organization_id"), created_at=bindparam("now"))

# A former member is one again.
JOIN = insert_or_update(
    insert(memberships).values(
        organization_id=bindparam("organization_id"), user_id=bindparam("user_id"), created_at=bindparam("now")
    ),
    index_elements=[_rows.organization_id, _rows.user_id],
    set_={"ended_at": null()},
    where=_rows.ended_at.is_not(None),
)

END = (
    update(memberships)
    .where(_rows.organization_id == bindparam("organization"), _rows.user_id == bindparam("user"), _IS_CURRENT)
    .values(ended_at=bindparam("now"))
)

EXISTS = select(organizations.c.id).where(organizations.c.id == bindparam("organization_id"))

FIND_MEMBER = select(*_COLUMNS).where(_IN_ORGANIZATION, _rows.user_id == bindparam("user_id"))

MEMBERS = select(*_COLUMNS).where(_IN_ORGANIZATION).order_by(_rows.organization_id, _rows.user_id)

ORGANIZATIONS_OF = select(_rows.organization_id).where(_rows.user_id == bindparam("user_id"), _IS_CURRENT)


def join(organization_id: str, user_id: str) -> None:
    """Adds the user to the organization, which is created if it is new. Raises ValueError for an invalid id."""
    _require_valid_ids(organization_id, user_id)
    _join(organization_id, user_id)


def end_membership(organization_id: str, user_id: str) -> bool:
    """Ends a membership for every later request; False if the user is no member."""
    return bool(connection.execute(END, organization=organization_id, user=user_id, now=now()))


def exists(organization_id: str) -> bool:
    """Whether there is an organization with this id."""
    return connection.fetch_one(EXISTS, organization_id=organization_id) is not None


def find_member(organization_id: str, user_id: str) -> Member | None:
    """A member, or a former one."""
    row = connection.fetch_one(FIND_MEMBER, organization_id=organization_id, user_id=user_id)
    return None if row is None else Member._make(row)


def members(organization_id: str) -> list[Member]:
    """All members of the organization and the former ones, by user id."""
    return [Member._make(row) for row in connection.fetch_all(MEMBERS, organization_id=organization_id)]


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
