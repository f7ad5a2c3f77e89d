"""Row type and statements of the table `collections`."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    Boolean,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    exists,
    or_,
    select,
    update,
)

from models.base import BIGINT
from models.schema import collections
from models.track_queries import is_audible
from models.upsert import insert_or_ignore

CHANGEABLE = ("name", "description", "cover_track_id", "cover_image_url")


_NEWEST_FIRST = (collections.c.created_at.desc(), collections.c.id.desc())
_IS_LIVE = collections.c.deleted_at.is_(None)


class Collection(NamedTuple):
    """A collection that is not deleted; `version` starts at 1 and grows with each change."""

    organization_id: str
    id: str
    owner_id: str
    name: str
    description: str | None
    cover_track_id: str | None
    cover_image_url: str | None
    track_count: int
    version: int
    created_at: datetime
    updated_at: datetime


_COLUMNS = [collections.c[name] for name in Collection._fields]

# SQLAlchemy reserves column names for binds of the SET clause, so these binds have other names.
IS_OWN = and_(
    collections.c.organization_id == bindparam("organization"),
    collections.c.owner_id == bindparam("owner"),
    _IS_LIVE,
)
IS_IT = and_(IS_OWN, collections.c.id == bindparam("collection"))

# NULL means any version; PostgreSQL needs the type of the NULL.
_VERSION = bindparam("expected", type_=BIGINT)
IS_EXPECTED = or_(_VERSION.is_(None), collections.c.version == _VERSION)


_SET = {name: bindparam(f"set_{name}", type_=Boolean()) for name in CHANGEABLE}
_NEW = {name: bindparam(f"new_{name}", type_=Text()) for name in CHANGEABLE}
_DIFFERS = or_(*(and_(_SET[name], collections.c[name].is_distinct_from(_NEW[name])) for name in CHANGEABLE))
# A cover stays, also when the owner may not hear it any more.
_HAS_COVER = or_(
    _NEW["cover_track_id"].is_(None),
    collections.c.cover_track_id == _NEW["cover_track_id"],
    exists().where(is_audible(_NEW["cover_track_id"])),
)

LIST = (
    select(*_COLUMNS)
    .where(IS_OWN)
    .order_by(*_NEWEST_FIRST)
    .limit(bindparam("limit", type_=Integer()))
    .offset(bindparam("offset", type_=Integer()))
)

FIND = select(*_COLUMNS).where(IS_IT)

INSERT = (
    insert_or_ignore(collections)
    .values(
        organization_id=bindparam("organization"),
        id=bindparam("id"),
        owner_id=bindparam("owner"),
        name=bindparam("name"),
        description=bindparam("description"),
        cover_track_id=bindparam("cover_track_id"),
        cover_image_url=bindparam("cover_image_url"),
        track_count=0,
        version=1,
        created_at=bindparam("now"),
        updated_at=bindparam("now"),
    )
    .returning(*_COLUMNS)
)

# One statement for every PATCH: a flag per field says whether the field was sent, so that null can clear it.
CHANGE = (
    update(collections)
    .where(IS_IT, IS_EXPECTED, _DIFFERS, _HAS_COVER)
    .values({name: case((_SET[name], _NEW[name]), else_=collections.c[name]) for name in CHANGEABLE})
    .values(version=collections.c.version + 1, updated_at=bindparam("now"))
    .returning(*_COLUMNS)
)

DELETE = (
    update(collections)
    .where(IS_IT, IS_EXPECTED)
    .values(version=collections.c.version + 1, deleted_at=bindparam("now"))
    .returning(collections.c.id)
)

# A transaction that changes the tracks of a collection locks its row, so such transactions run one after another.
LOCK = select(*_COLUMNS).where(IS_IT).with_for_update(key_share=True)

TOUCH = (
    update(collections)
    .where(IS_IT)
    .values(
        version=collections.c.version + 1,
        track_count=collections.c.track_count + bindparam("more", type_=Integer()),
        updated_at=bindparam("now"),
    )
)
