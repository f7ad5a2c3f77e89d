"""What both databases of the bare peer share: the caller, the SQL and the shapes."""

import hashlib
import hmac
import os
from datetime import UTC, datetime
from typing import Any, NamedTuple

URL = os.environ["BENCH_DATABASE_URL"]
IS_SQLITE = URL.startswith("sqlite")
PEPPER = os.environ["BENCH_PEPPER"].encode()
GAP = 2**20

# Only names of columns and numbers of binds are put into the texts below, never a value.
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
    """Who asks, and for which organization: the first two binds of every statement."""

    organization_id: str
    user_id: str


class Absent(Exception):
    """There is no such collection of the caller's."""


def digest(secret: bytes) -> bytes:
    """What is stored of an API key."""
    return hmac.digest(PEPPER, secret, hashlib.sha256)


def admitted(row: Any, organization_id: str) -> Caller | None:
    """The caller of an active key of that organization."""
    if row is None or row[2] != "active" or row[0] != organization_id or (row[3] is not None and row[3] <= now()):
        return None
    return Caller(row[0], row[1])


def now() -> Any:
    """The present moment as the database keeps it."""
    moment = datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if IS_SQLITE else moment


def second(moment: Any) -> str:
    """A stored moment as the API shows it."""
    return f"{moment[:19]}Z" if IS_SQLITE else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(row: Any) -> dict[str, Any]:
    """A collection as the API shows it; raises Absent when there is none."""
    if row is None:
        raise Absent
    view = dict(zip(FIELDS, row, strict=True))
    view["created_at"], view["updated_at"] = second(view["created_at"]), second(view["updated_at"])
    return view


def page(rows: Any, limit: int, offset: int) -> dict[str, Any]:
    """A page of collections, which tells no track counts."""
    return {"items": [shown(row) | {"track_count": None} for row in rows], "limit": limit, "offset": offset}


def track_page(rows: Any, collection_id: str, limit: int, offset: int) -> dict[str, Any]:
    """A page of a collection's tracks."""
    items = [{"track_id": r[0], "position": offset + i, "added_at": second(r[1])} for i, r in enumerate(rows)]
    return {"collection_id": collection_id, "items": items, "limit": limit, "offset": offset}


def moves(members: Any, wished: list[str]) -> list[tuple[str, int]]:
    """Which members get which rank so that the listed ones stand first; none when they stand so already."""
    ranks = dict(map(tuple, members))
    listed = dict.fromkeys(track for track in wished if track in ranks)
    order = [*listed, *(track for track in ranks if track not in listed)]
    if order == list(ranks):
        return []
    low = min(ranks.values())
    return [(track, low - GAP * (len(order) - index)) for index, track in enumerate(order)]


def done(collection_id: str) -> dict[str, Any]:
    """The answer to a new order."""
    return {"success": True, "id": collection_id, "detail": "Collection reordered."}
