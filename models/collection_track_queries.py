"""Row type and statements of the table `collection_tracks`."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
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
from sqlalchemy.dialects.postgresql import ARRAY

from models.base import BIGINT, UTCDateTime, insert_or_ignore
from models.collection_queries import IS_IT
from models.ranks import GAP
from models.schema import collection_tracks, collections, tracks
from models.track_queries import is_audible


class CollectionTrack(NamedTuple):
    """A track in a collection; `position` counts from 0 without gaps."""

    track_id: str
    position: int
    added_at: datetime


_rows = collection_tracks.c

IS_IN = and_(
    _rows.organization_id == bindparam("organization"),
    _rows.owner_id == bindparam("owner"),
    _rows.collection_id == bindparam("collection"),
)
_IS_MEMBER = and_(IS_IN, _rows.track_id == bindparam("track"))

_PAGE = (
    select(_rows.track_id, _rows.added_at, _rows.rank)
    .where(IS_IN)
    .order_by(_rows.rank)
    .limit(bindparam("limit", type_=Integer()))
    .offset(bindparam("offset", type_=Integer()))
    .subquery("page")
)

# One statement, so that version and page belong together; an empty page gives one row without a track.
LIST = (
    select(collections.c.version, _PAGE.c.track_id, _PAGE.c.added_at)
    .select_from(collections.outerjoin(_PAGE, true()))
    .where(IS_IT)
    .order_by(_PAGE.c.rank)
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
