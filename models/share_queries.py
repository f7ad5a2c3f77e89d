"""Row type and statements of the tables `share_links` and `share_tokens`."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Integer, LargeBinary, Text, and_, bindparam, delete, insert, or_, select, update

from models.base import BIGINT, UTCDateTime
from models.collection_track_queries import IS_IN
from models.schema import collection_tracks, tracks
from models.share_tables import share_links, share_tokens
from models.track_queries import COLUMNS as TRACK_COLUMNS
from models.upsert import insert_or_ignore

MAX_TRACKS = 500


class ShareLink(NamedTuple):
    """A link of `user_id` to one track or one collection, without its token; `resolve_count` is a second late."""

    organization_id: str
    id: str
    user_id: str
    track_id: str | None
    collection_id: str | None
    visibility: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    resolve_count: int


_rows = share_links.c
_COLUMNS = [_rows[name] for name in ShareLink._fields]

_IS_OWN = and_(_rows.organization_id == bindparam("organization"), _rows.user_id == bindparam("user"))
_IS_LINK = and_(_rows.organization_id == bindparam("organization"), _rows.id == bindparam("link"))

INSERT = (
    insert_or_ignore(share_links).values({name: bindparam(name) for name in ShareLink._fields}).returning(*_COLUMNS)
)

ADD_TOKEN = insert(share_tokens).values(
    digest=bindparam("digest"),
    organization_id=bindparam("organization_id"),
    link_id=bindparam("link_id"),
    ends_at=bindparam("end"),
)

# The one statement of a token that is unknown, revoked or expired.
FIND_TOKEN = select(share_tokens.c.organization_id, share_tokens.c.link_id).where(
    share_tokens.c.digest == bindparam("digest", type_=LargeBinary()),
    share_tokens.c.ends_at > bindparam("now", type_=UTCDateTime()),
)

DELETE_TOKEN = delete(share_tokens).where(
    share_tokens.c.organization_id == bindparam("organization"), share_tokens.c.link_id == bindparam("link")
)

RESOLVE = select(*_COLUMNS).where(_IS_LINK, _rows.revoked_at.is_(None))

ADD_RESOLVES = (
    update(share_links).where(_IS_LINK).values(resolve_count=_rows.resolve_count + bindparam("more", type_=BIGINT))
)

# In their order; tracks that were deleted are left out.
TRACKS = (
    select(*TRACK_COLUMNS)
    .join(collection_tracks, collection_tracks.c.track_id == tracks.c.id)
    .where(tracks.c.organization_id == bindparam("organization"), IS_IN, tracks.c.deleted_at.is_(None))
    .order_by(collection_tracks.c.rank)
    .limit(MAX_TRACKS)
)

LIST = (
    select(*_COLUMNS)
    .where(_IS_OWN)
    .order_by(_rows.created_at.desc(), _rows.id.desc())
    .limit(bindparam("limit", type_=Integer()))
    .offset(bindparam("offset", type_=Integer()))
)

FIND = select(*_COLUMNS).where(_IS_OWN, _rows.id == bindparam("link"))

REVOKE = (
    update(share_links)
    .where(_IS_OWN, _rows.id == bindparam("link"), _rows.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
    .returning(_rows.id)
)

REVOKE_ALL = (
    update(share_links)
    .where(_IS_OWN, _rows.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
    .returning(_rows.id)
)

_ORGANIZATION, _USER = bindparam("organization", type_=Text()), bindparam("user", type_=Text())

# The links of all users, for operators; NULL filters nothing.
LIST_ALL = (
    select(*_COLUMNS)
    .where(
        or_(_ORGANIZATION.is_(None), _rows.organization_id == _ORGANIZATION),
        or_(_USER.is_(None), _rows.user_id == _USER),
    )
    .order_by(_rows.created_at, _rows.id)
)
