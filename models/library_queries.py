"""Row type and statements of the table `library_entries`."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Integer, Text, and_, bindparam, exists, null, or_, select, update

from models.schema import collection_tracks, library_entries
from models.upsert import insert_or_ignore


class LibraryEntry(NamedTuple):
    """A track in a user's library; `source` is `own` if the user has created the track, else `shared`."""

    organization_id: str
    user_id: str
    id: str
    track_organization_id: str
    track_id: str
    source: str
    share_link_id: str | None
    engine: str
    mode: str
    saved_at: datetime


_rows = library_entries.c
_COLUMNS = [_rows[name] for name in LibraryEntry._fields]

_IS_OWN = and_(_rows.organization_id == bindparam("organization"), _rows.user_id == bindparam("owner"))
_IS_LIVE = _rows.removed_at.is_(None)
_HAS_TRACK = and_(_IS_OWN, _rows.track_id == bindparam("track"))
_IS_IT = and_(_HAS_TRACK, _rows.track_organization_id == bindparam("track_organization"))

_MODE, _ENGINE = bindparam("wanted_mode", type_=Text()), bindparam("wanted_engine", type_=Text())
_IS_WANTED = and_(or_(_MODE.is_(None), _rows.mode == _MODE), or_(_ENGINE.is_(None), _rows.engine == _ENGINE))
# A collection has tracks of its own organization only.
_IS_IN_COLLECTION = and_(
    _rows.track_organization_id == bindparam("organization"),
    exists()
    .where(
        collection_tracks.c.organization_id == bindparam("organization"),
        collection_tracks.c.owner_id == bindparam("owner"),
        collection_tracks.c.collection_id == bindparam("collection"),
        collection_tracks.c.track_id == _rows.track_id,
    )
    .correlate(library_entries),
)

LIST = (
    select(_rows.track_organization_id, _rows.track_id)
    .where(_IS_OWN, _IS_LIVE, _IS_WANTED)
    .order_by(_rows.saved_at.desc(), _rows.id.desc())
    .limit(bindparam("limit", type_=Integer()))
    .offset(bindparam("offset", type_=Integer()))
)

LIST_IN_COLLECTION = LIST.where(_IS_IN_COLLECTION)

FIND = select(*_COLUMNS).where(_IS_IT, _IS_LIVE)

INSERT = (
    insert_or_ignore(library_entries)
    .values({name: bindparam(name) for name in LibraryEntry._fields})
    .returning(*_COLUMNS)
)

# Saved again, an entry keeps its id and begins anew.
RESTORE = (
    update(library_entries)
    .where(_IS_IT, _rows.removed_at.is_not(None))
    .values(removed_at=null(), saved_at=bindparam("now"), share_link_id=bindparam("new_share_link_id", type_=Text()))
    .returning(*_COLUMNS)
)

REMOVE = update(library_entries).where(_HAS_TRACK, _IS_LIVE).values(removed_at=bindparam("now"))

# Also of an entry that was removed.
ENTRY = select(_rows.id).where(_HAS_TRACK).limit(1)

# Where the saved track is, if it is in another organization.
ELSEWHERE = select(_rows.track_organization_id).where(
    _HAS_TRACK, _IS_LIVE, _rows.track_organization_id != bindparam("organization")
)

# Of every user, in every organization.
REMOVE_ALL = (
    update(library_entries)
    .where(
        _rows.track_organization_id == bindparam("track_organization"), _rows.track_id == bindparam("track"), _IS_LIVE
    )
    .values(removed_at=bindparam("now"))
)
