"""Shared parts of the bare peer for both databases: caller, SQL and JSON."""

import hashlib
import hmac
import os
from datetime import UTC, datetime
from typing import Any, NamedTuple

URL = os.environ["BENCH_DATABASE_URL"]
IS_SQLITE = URL.startswith("sqlite")
PEPPER = os.environ["BENCH_PEPPER"].encode()
GAP = 2**20

# Only column names and placeholders are formatted into these statements, never a value.
VIEW = "id, name, description, cover_track_id, cover_image_url, track_count, created_at, updated_at"
FIELDS = tuple(VIEW.split(", "))
OWN = "organization_id = {0} AND owner_id = {1} AND deleted_at IS NULL"
IT = OWN + " AND id = {2}"
IN = "organization_id = {0} AND owner_id = {1} AND collection_id = {2}"

KEY = "SELECT organization_id, user_id, state, expires_at FROM api_keys WHERE digest = {0}"
GET = f"SELECT {VIEW} FROM collections WHERE {IT}"  # noqa: S608
LIST = f"SELECT {VIEW} FROM collections WHERE {OWN} ORDER BY created_at DESC, id DESC LIMIT {{2}} OFFSET {{3}}"  # noqa: S608
EXISTS = f"SELECT 1 FROM collections WHERE {IT}"  # noqa: S608
TRACKS = f"SELECT track_id, added_at FROM collection_tracks WHERE {IN} ORDER BY rank LIMIT {{3}} OFFSET {{4}}"  # noqa: S608
_NEW = "organization_id, owner_id, id, name, description, track_count, version, created_at, updated_at"
CREATE = (
    f"INSERT INTO collections ({_NEW}) VALUES ({{0}}, {{1}}, {{2}}, {{3}}, {{4}}, 0, 1, {{5}}, {{5}}) RETURNING {VIEW}"  # noqa: S608
)
CHANGE = f"UPDATE collections SET name = {{3}}, version = version + 1, updated_at = {{4}} WHERE {IT} RETURNING {VIEW}"  # noqa: S608
MEMBERS = f"SELECT track_id, rank FROM collection_tracks WHERE {IN} ORDER BY rank"  # noqa: S608
MOVE = f"UPDATE collection_tracks SET rank = {{4}} WHERE {IN} AND track_id = {{3}}"  # noqa: S608


class Caller(NamedTuple):
    """The caller: the first two binds of every statement."""

    organization_id: str
    user_id: str


class Absent(Exception):
    """The caller has no such collection."""


def digest(secret: bytes) -> bytes:
    """The stored digest of an API key."""
    return hmac.digest(PEPPER, secret, hashlib.sha256)


def authenticate(row: Any, organization_id: str) -> Caller | None:
    """The caller of an active key of that organization, or None."""
    if row is None or row[2] != "active" or row[0] != organization_id or (row[3] is not None and row[3] <= now()):
        return None
    return Caller(row[0], row[1])


def now() -> Any:
    """The current time as the database stores it."""
    value = datetime.now(UTC)
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if IS_SQLITE else value


def format_time(value: Any) -> str:
    """A stored time as RFC 3339 with whole seconds."""
    return f"{value[:19]}Z" if IS_SQLITE else value.strftime("%Y-%m-%dT%H:%M:%SZ")


def to_json(row: Any) -> dict[str, Any]:
    """A collection as JSON. Raises Absent if there is none."""
    if row is None:
        raise Absent
    view = dict(zip(FIELDS, row, strict=True))
    view["created_at"], view["updated_at"] = format_time(view["created_at"]), format_time(view["updated_at"])
    return view


def page(rows: Any, limit: int, offset: int) -> dict[str, Any]:
    """A page of collections, without track counts."""
    return {"items": [to_json(row) | {"track_count": None} for row in rows], "limit": limit, "offset": offset}


def track_page(rows: Any, collection_id: str, limit: int, offset: int) -> dict[str, Any]:
    """A page of a collection's tracks."""
    items = [{"track_id": r[0], "position": offset + i, "added_at": format_time(r[1])} for i, r in enumerate(rows)]
    return {"collection_id": collection_id, "items": items, "limit": limit, "offset": offset}


def moves(members: Any, track_ids: list[str]) -> list[tuple[str, int]]:
    """The new ranks that put the listed tracks first; empty if they are first already."""
    ranks = dict(map(tuple, members))
    listed = dict.fromkeys(track for track in track_ids if track in ranks)
    order = [*listed, *(track for track in ranks if track not in listed)]
    if order == list(ranks):
        return []
    low = min(ranks.values())
    return [(track, low - GAP * (len(order) - index)) for index, track in enumerate(order)]


def acknowledgement(collection_id: str) -> dict[str, Any]:
    """The response to a reorder."""
    return {"success": True, "id": collection_id, "detail": "Collection reordered."}
