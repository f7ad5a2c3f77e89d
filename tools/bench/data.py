"""Data of the benchmark: one user's 10,000 collections of 8 to 16 tracks, and collections of the write workloads."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, insert, text

from models import keys, organizations
from models.db import connection, migrate
from models.db.database import Database
from models.ranks import GAP
from models.schema import collection_tracks, collections, tracks
from tools.bench.progress import Bar

ORGANIZATION, READER, WRITER, REVOKED = "org_bench1", "user_reader", "user_writer", "user_revoked"
COLLECTIONS, TRACKS, BIG, WRITTEN = 10_000, 5_000, 500, 1_000
PEPPER = "pepper-of-the-benchmark-of-32-bytes-or-more"
SCOPES = ("music:read", "music:write")
START = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 200

ADD_TRACK, ADD_COLLECTION, ADD_MEMBER = insert(tracks), insert(collections), insert(collection_tracks)
DELETE_CREATED = delete(collections).where(
    collections.c.organization_id == bindparam("organization"),
    collections.c.owner_id == bindparam("owner"),
    collections.c.created_at > bindparam("since"),
)


@dataclass(frozen=True)
class Data:
    """API keys and collection ids for the workloads."""

    reader: str
    writer: str
    revoked: str
    read: list[str]
    big: str
    written: list[str]


def load(url: str) -> Data:
    """Migrates and fills an empty database; the ids are the same in each run, the keys are not."""
    migrate.upgrade(url)
    with Database(url, statement_timeout_ms=60_000):
        return _filled()


def sweep(url: str) -> None:
    """Deletes the collections that the POST workload has created, so that every measurement has the same data."""
    with Database(url, statement_timeout_ms=60_000):
        connection.execute(DELETE_CREATED, organization=ORGANIZATION, owner=WRITER, since=START + timedelta(days=365))


def _filled() -> Data:
    rng = random.Random(7)
    reader, writer, revoked = (_key(user) for user in (READER, WRITER, REVOKED))
    for key in keys.list_all():
        if key.user_id == REVOKED:
            keys.set_state(key.id, "deactivated")
    songs = [_id("mtrack_", rng) for _ in range(TRACKS)]
    _write(ADD_TRACK, [_track(song) for song in songs])
    read, written = ([_id("mcoll_", rng) for _ in range(count)] for count in (COLLECTIONS, WRITTEN))
    big = _id("mcoll_", rng)
    sizes = dict.fromkeys(written, 12) | {c: rng.randint(8, 16) for c in read} | {big: BIG}
    with Bar("Loading the data", -(-len(sizes) // BATCH)) as bar:
        for first in range(0, len(sizes), BATCH):
            _load(list(sizes)[first : first + BATCH], sizes, set(written), songs, rng, first)
            bar.step()
    connection.execute(text("ANALYZE"))
    return Data(reader, writer, revoked, read, big, written)


def _load(
    batch: list[str], sizes: dict[str, int], written: set[str], songs: list[str], rng: random.Random, first: int
) -> None:
    rows, members = [], []
    for number, collection in enumerate(batch, first):
        owner = WRITER if collection in written else READER
        rows.append(_collection(collection, owner, sizes[collection], number, songs))
        members += _members(collection, owner, rng.sample(songs, sizes[collection]))
    _write(ADD_COLLECTION, rows)
    _write(ADD_MEMBER, members)


def _key(user: str) -> str:
    organizations.join(ORGANIZATION, user)
    return keys.make(ORGANIZATION, user, SCOPES, pepper=PEPPER.encode())[1]


def _id(prefix: str, rng: random.Random) -> str:
    return f"{prefix}{rng.getrandbits(48):012x}"


def _track(song: str) -> dict[str, Any]:
    return {"organization_id": ORGANIZATION, "id": song, "creator_id": READER, "title": f"Track {song[-4:]}",
            "duration_ms": 200_000, "instrumental": True, "engine": "import", "mode": "creation",
            "licence_class": "unclear", "commercial_use": False, "requires_attribution": True,
            "created_at": START}  # fmt: skip


def _collection(collection: str, owner: str, size: int, number: int, songs: list[str]) -> dict[str, Any]:
    created_at = START + timedelta(minutes=number)
    return {"organization_id": ORGANIZATION, "id": collection, "owner_id": owner, "name": f"Focus Sessions {number}",
            "description": "Instrumental tracks for deep work", "cover_track_id": songs[number % TRACKS],
            "cover_image_url": None, "track_count": size, "version": 1,
            "created_at": created_at, "updated_at": created_at}  # fmt: skip


def _members(collection: str, owner: str, songs: Iterable[str]) -> list[dict[str, Any]]:
    return [
        {"organization_id": ORGANIZATION, "owner_id": owner, "collection_id": collection, "track_id": song,
         "rank": index * GAP, "added_at": START + timedelta(seconds=index)}
        for index, song in enumerate(songs, 1)
    ]  # fmt: skip


@connection.transaction
def _write(statement: Any, rows: list[dict[str, Any]]) -> None:
    connection.execute_many(statement, rows)
