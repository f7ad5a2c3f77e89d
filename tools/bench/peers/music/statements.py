"""Statements of the peers that use SQLAlchemy Core, built once."""

from typing import Any

from sqlalchemy import Update, and_, bindparam, insert, select, true, update

from tools.bench.peers.music.tables import api_keys, collection_tracks, collections

_c, _m = collections.c, collection_tracks.c
_VIEW = (
    _c.id, _c.name, _c.description, _c.cover_track_id, _c.cover_image_url, _c.track_count, _c.created_at, _c.updated_at
)  # fmt: skip
_IS_OWN = and_(_c.organization_id == bindparam("org"), _c.owner_id == bindparam("owner"), _c.deleted_at.is_(None))
_IS_IT = and_(_IS_OWN, _c.id == bindparam("collection"))
_IS_IN = and_(
    _m.organization_id == bindparam("org"),
    _m.owner_id == bindparam("owner"),
    _m.collection_id == bindparam("collection"),
)

KEY = select(
    api_keys.c.organization_id, api_keys.c.user_id, api_keys.c.scopes, api_keys.c.state, api_keys.c.expires_at
).where(api_keys.c.digest == bindparam("digest"))

GET = select(*_VIEW).where(_IS_IT)

LIST = (
    select(*_VIEW)
    .where(_IS_OWN)
    .order_by(_c.created_at.desc(), _c.id.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)

_page = (
    select(_m.track_id, _m.added_at, _m.rank)
    .where(_IS_IN)
    .order_by(_m.rank)
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
    .subquery("page")
)
TRACKS = (
    select(_c.id, _page.c.track_id, _page.c.added_at)
    .select_from(collections.outerjoin(_page, true()))
    .where(_IS_IT)
    .order_by(_page.c.rank)
)

CREATE = insert(collections).returning(*_VIEW)

LOCK = select(_c.id).where(_IS_IT).with_for_update()

MEMBERS = select(_m.track_id, _m.rank).where(_IS_IN).order_by(_m.rank)

MOVE = update(collection_tracks).where(_IS_IN, _m.track_id == bindparam("track")).values(rank=bindparam("new_rank"))

TOUCH = update(collections).where(_IS_IT).values(version=_c.version + 1, updated_at=bindparam("now"))


def change(changes: dict[str, Any], now: Any) -> Update:
    """An UPDATE of the given columns of a collection that returns the new row."""
    values = changes | {"version": _c.version + 1, "updated_at": now}
    return update(collections).where(_IS_IT).values(values).returning(*_VIEW)
