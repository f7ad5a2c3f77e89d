"""Who asks, what a row looks like outside, and which members a new order moves: what needs no database."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tools.bench.peers.music.failures import Absent, Forbidden, Unauthenticated
from tools.bench.peers.music.tables import IS_SQLITE

PEPPER = os.environ["BENCH_PEPPER"].encode()
READ, WRITE = "music:read", "music:write"
GAP = 2**20


class Caller(NamedTuple):
    """Who asks, and for which organization."""

    user_id: str
    organization_id: str


def digest(secret: str) -> bytes:
    """What is stored of an API key."""
    return hmac.digest(PEPPER, secret.encode(), hashlib.sha256)


def admitted(row: Any, scope: str, organization_id: str) -> Caller:
    """The caller of a key that is found, active, not expired, and allowed to do this; raises Refused."""
    if row is None or row.state != "active" or (row.expires_at is not None and row.expires_at <= now()):
        raise Unauthenticated
    if scope not in row.scopes.split():
        raise Forbidden
    if row.organization_id != organization_id:
        raise Absent
    return Caller(row.user_id, row.organization_id)


def own(caller: Caller, collection_id: str) -> dict[str, Any]:
    """The binds that name one collection of the caller's."""
    return {"org": caller.organization_id, "owner": caller.user_id, "collection": collection_id}


def fresh(caller: Caller, fields: dict[str, Any]) -> dict[str, Any]:
    """The columns of a new collection."""
    moment = now()
    given = {"description": None, "cover_track_id": None, "cover_image_url": None} | fields
    return given | {
        "organization_id": caller.organization_id, "owner_id": caller.user_id, "id": "mcoll_" + secrets.token_hex(6),
        "track_count": 0, "version": 1, "created_at": moment, "updated_at": moment,
    }  # fmt: skip


def now() -> Any:
    """The present moment as the database keeps it."""
    moment = datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if IS_SQLITE else moment


def second(moment: Any) -> str:
    """A stored moment as the API shows it."""
    return f"{moment[:19]}Z" if IS_SQLITE else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(row: Any) -> dict[str, Any]:
    """A collection as the API shows it."""
    return {
        "id": row.id, "name": row.name, "description": row.description, "cover_track_id": row.cover_track_id,
        "cover_image_url": row.cover_image_url, "track_count": row.track_count,
        "created_at": second(row.created_at), "updated_at": second(row.updated_at),
    }  # fmt: skip


def page(rows: Sequence[Any], limit: int, offset: int) -> dict[str, Any]:
    """A page of collections, which tells no track counts."""
    return {"items": [shown(row) | {"track_count": None} for row in rows], "limit": limit, "offset": offset}


def track_page(rows: Sequence[Any], collection_id: str, limit: int, offset: int) -> dict[str, Any]:
    """A page of a collection's tracks; raises Absent when the collection is not there."""
    if not rows:
        raise Absent
    items = [
        {"track_id": row.track_id, "position": offset + index, "added_at": second(row.added_at)}
        for index, row in enumerate(rows)
        if row.track_id is not None
    ]
    return {"collection_id": collection_id, "items": items, "limit": limit, "offset": offset}


def moves(members: Sequence[Any], wished: Sequence[str]) -> list[dict[str, Any]]:
    """Which members get which rank so that the listed ones stand first; none when they stand so already."""
    ranks = {row.track_id: row.rank for row in members}
    listed = dict.fromkeys(track for track in wished if track in ranks)
    order = [*listed, *(track for track in ranks if track not in listed)]
    if order == list(ranks):
        return []
    low = min(ranks.values())
    return [{"track": track, "new_rank": low - GAP * (len(order) - index)} for index, track in enumerate(order)]


def done(collection_id: str) -> dict[str, Any]:
    """The answer to a new order."""
    return {"success": True, "id": collection_id, "detail": "Collection reordered."}
