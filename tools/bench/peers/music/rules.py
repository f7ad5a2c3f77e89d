"""Callers, response bodies and new ranks of a reorder: everything that needs no database."""

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
    """The caller: a user and an organization."""

    user_id: str
    organization_id: str


def digest(secret: str) -> bytes:
    """The stored digest of an API key."""
    return hmac.digest(PEPPER, secret.encode(), hashlib.sha256)


def authenticate(row: Any, scope: str, organization_id: str) -> Caller:
    """The caller of a key that is active, not expired, and has the scope. Raises Refused."""
    if row is None or row.state != "active" or (row.expires_at is not None and row.expires_at <= now()):
        raise Unauthenticated
    if scope not in row.scopes.split():
        raise Forbidden
    if row.organization_id != organization_id:
        raise Absent
    return Caller(row.user_id, row.organization_id)


def owner_binds(caller: Caller, collection_id: str) -> dict[str, Any]:
    """The binds of one collection of the caller."""
    return {"org": caller.organization_id, "owner": caller.user_id, "collection": collection_id}


def new_row(caller: Caller, fields: dict[str, Any]) -> dict[str, Any]:
    """The columns of a new collection."""
    value = now()
    values = {"description": None, "cover_track_id": None, "cover_image_url": None} | fields
    return values | {
        "organization_id": caller.organization_id, "owner_id": caller.user_id, "id": "mcoll_" + secrets.token_hex(6),
        "track_count": 0, "version": 1, "created_at": value, "updated_at": value,
    }  # fmt: skip


def now() -> Any:
    """The current time as the database stores it."""
    value = datetime.now(UTC)
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if IS_SQLITE else value


def format_time(value: Any) -> str:
    """A stored time as RFC 3339 with whole seconds."""
    return f"{value[:19]}Z" if IS_SQLITE else value.strftime("%Y-%m-%dT%H:%M:%SZ")


def to_json(row: Any) -> dict[str, Any]:
    """A collection as JSON."""
    return {
        "id": row.id, "name": row.name, "description": row.description, "cover_track_id": row.cover_track_id,
        "cover_image_url": row.cover_image_url, "track_count": row.track_count,
        "created_at": format_time(row.created_at), "updated_at": format_time(row.updated_at),
    }  # fmt: skip


def page(rows: Sequence[Any], limit: int, offset: int) -> dict[str, Any]:
    """A page of collections, without track counts."""
    return {"items": [to_json(row) | {"track_count": None} for row in rows], "limit": limit, "offset": offset}


def track_page(rows: Sequence[Any], collection_id: str, limit: int, offset: int) -> dict[str, Any]:
    """A page of a collection's tracks. Raises Absent if there is no such collection."""
    if not rows:
        raise Absent
    items = [
        {"track_id": row.track_id, "position": offset + index, "added_at": format_time(row.added_at)}
        for index, row in enumerate(rows)
        if row.track_id is not None
    ]
    return {"collection_id": collection_id, "items": items, "limit": limit, "offset": offset}


def moves(members: Sequence[Any], track_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The new ranks that put the listed tracks first; empty if they are first already."""
    ranks = {row.track_id: row.rank for row in members}
    listed = dict.fromkeys(track for track in track_ids if track in ranks)
    order = [*listed, *(track for track in ranks if track not in listed)]
    if order == list(ranks):
        return []
    low = min(ranks.values())
    return [{"track": track, "new_rank": low - GAP * (len(order) - index)} for index, track in enumerate(order)]


def acknowledgement(collection_id: str) -> dict[str, Any]:
    """The response to a reorder."""
    return {"success": True, "id": collection_id, "detail": "Collection reordered."}
