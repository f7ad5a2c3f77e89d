"""Row type and statements of the table `collection_tracks`."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    ARRAY,
    Integer,
    Text,
    and_,
    bindparam,
    delete,
    func,
    select,
    true,
    update,
)

from models.base import BIGINT, UTCDateTime
from models.collection_queries import IS_IT
from models.ranks import GAP
from models.schema import collection_tracks, collections, tracks
from models.track_queries import is_audible
from models.upsert import insert_or_ignore


class CollectionTrack(NamedTuple):
    """A track in a collection."""

    track_id: str
    added_at: datetime


_rows = collection_tracks.c

_IS_OWN = and_(_rows.organization_id == bindparam("organization"), _rows.owner_id == bindparam("owner"))
IS_IN = and_(_IS_OWN, _rows.collection_id == bindparam("collection"))
_IS_MEMBER = and_(IS_IN, _rows.track_id == bindparam("track"))

_VERSION = select(collections.c.version).where(IS_IT).scalar_subquery().label("version")
# The index begins with the id of the collection: with NULL for one that is not the owner's, or is deleted, no row of
# somebody else is read, which would take time.
_OWN_ID = select(collections.c.id).where(IS_IT).scalar_subquery()
_PAGE = (
    select(_rows.track_id, _rows.added_at, _rows.rank, _VERSION)
    .where(_IS_OWN, _rows.collection_id == _OWN_ID)
    .order_by(_rows.rank)
    .limit(bindparam("limit", type_=Integer()))
    .offset(bindparam("offset", type_=Integer()))
)

# One statement, so that version and page belong together. It has no row for an empty page.
LIST = _PAGE.with_only_columns(_rows.track_id, _rows.added_at, _VERSION)

# The same for a page that may be empty, which is one row without a track. It copies the page, so it is slower.
_COPY = _PAGE.subquery("page")
LIST_OR_EMPTY = (
    select(_COPY.c.track_id, _COPY.c.added_at, collections.c.version)
    .select_from(collections.outerjoin(_COPY, true()))
    .where(IS_IT)
    .order_by(_COPY.c.rank)
)

_LAST = select(func.coalesce(func.max(_rows.rank), 0)).where(IS_IN).scalar_subquery()

# INSERT ... SELECT from tracks, so that a track that the owner may not hear is never added.
APPEND = (
    insert_or_ignore(collection_tracks)
    .from_select(
        ["organization_id", "owner_id", "collection_id", "track_id", "rank", "added_at"],
        select(
            bindparam("organization", type_=Text()),
            bindparam("owner", type_=Text()),
            bindparam("collection", type_=Text()),
            tracks.c.id,
            _LAST + GAP,
            bindparam("now", type_=UTCDateTime()),
        ).where(is_audible(bindparam("track", type_=Text()))),
    )
    .returning(_rows.track_id)
)

MEMBER = select(_rows.track_id).where(_IS_MEMBER)

REMOVE = delete(collection_tracks).where(_IS_MEMBER)

FIRST = select(_rows.track_id, _rows.rank).where(IS_IN).order_by(_rows.rank).limit(bindparam("count", type_=Integer()))

LISTED = select(_rows.track_id, _rows.rank).where(IS_IN, _rows.track_id.in_(bindparam("track_ids", expanding=True)))

MOVE = update(collection_tracks).where(_IS_MEMBER).values(rank=bindparam("new_rank"))

# PostgreSQL only: 10,000 single statements would take 1.4 s prepared and 4.5 s unprepared. Decision 26.
_MOVED, _NEW_RANKS = bindparam("moved", type_=ARRAY(Text())), bindparam("new_ranks", type_=ARRAY(BIGINT))
_MOVES = func.unnest(_MOVED, _NEW_RANKS).table_valued("track_id", "rank").render_derived(name="moves")
MOVE_ALL = update(collection_tracks).where(IS_IN, _rows.track_id == _MOVES.c.track_id).values(rank=_MOVES.c.rank)
