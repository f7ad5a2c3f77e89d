"""SQLite with hand-written SQL: one connection, used on the event loop."""

import secrets
import sqlite3
from typing import Any

from tools.bench.peers.bare import data
from tools.bench.peers.bare.data import URL, Absent, Caller

SETTINGS = ("busy_timeout = 5000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")


def _sql(text: str) -> str:
    return text.format(*(f"?{number}" for number in range(1, 10)))


KEY, GET, LIST, EXISTS, TRACKS, CREATE, CHANGE, MEMBERS, MOVE = map(
    _sql,
    (data.KEY, data.GET, data.LIST, data.EXISTS, data.TRACKS, data.CREATE, data.CHANGE, data.MEMBERS, data.MOVE),
)
_connection = sqlite3.connect(URL.removeprefix("sqlite:///"), isolation_level=None, cached_statements=256)
_run = _connection.execute


async def connect() -> None:
    """Configures the connection."""
    for setting in SETTINGS:
        _run(f"PRAGMA {setting}").fetchall()


async def key(digest: bytes) -> Any:
    return _run(KEY, (digest,)).fetchone()


async def get(caller: Caller, collection_id: str) -> Any:
    return data.to_json(_run(GET, (*caller, collection_id)).fetchone())


async def page(caller: Caller, limit: int, offset: int) -> Any:
    return data.page(_run(LIST, (*caller, limit, offset)).fetchall(), limit, offset)


async def tracks(caller: Caller, collection_id: str, limit: int, offset: int) -> Any:
    _require_collection(caller, collection_id)
    rows = _run(TRACKS, (*caller, collection_id, limit, offset)).fetchall()
    return data.track_page(rows, collection_id, limit, offset)


async def create(caller: Caller, name: str, description: str | None) -> Any:
    binds = (*caller, "mcoll_" + secrets.token_hex(6), name, description, data.now())
    return data.to_json(_run(CREATE, binds).fetchall()[0])


async def change(caller: Caller, collection_id: str, name: str) -> Any:
    return data.to_json(next(iter(_run(CHANGE, (*caller, collection_id, name, data.now())).fetchall()), None))


async def reorder(caller: Caller, collection_id: str, track_ids: list[str]) -> Any:
    _run("BEGIN IMMEDIATE")
    try:
        _require_collection(caller, collection_id)
        for track, rank in data.moves(_run(MEMBERS, (*caller, collection_id)).fetchall(), track_ids):
            _run(MOVE, (*caller, collection_id, track, rank))
    finally:
        _run("COMMIT")
    return data.acknowledgement(collection_id)


def _require_collection(caller: Caller, collection_id: str) -> None:
    if _run(EXISTS, (*caller, collection_id)).fetchone() is None:
        raise Absent
