"""PostgreSQL with hand-written SQL: an asyncpg pool with prepared statements and without reset on release."""

import secrets
from typing import Any

import asyncpg  # type: ignore[import-untyped] # it has no py.typed marker

from tools.bench.peers.bare import data
from tools.bench.peers.bare.data import URL, Absent, Caller


def _sql(text: str) -> str:
    return text.format(*(f"${number}" for number in range(1, 10)))


KEY, GET, LIST, EXISTS, TRACKS, CREATE, CHANGE, MEMBERS, MOVE = map(
    _sql,
    (data.KEY, data.GET, data.LIST, data.EXISTS, data.TRACKS, data.CREATE, data.CHANGE, data.MEMBERS, data.MOVE),
)
_pools: list[Any] = []


async def connect() -> None:
    """Opens the pool."""
    _pools.append(await asyncpg.create_pool(URL, min_size=10, max_size=10, reset=_no_reset))


async def _no_reset(_connection: Any) -> None:
    """Replaces asyncpg's reset, which is not needed and would cost a round trip."""


async def key(digest: bytes) -> Any:
    return await _pools[0].fetchrow(KEY, digest)


async def get(caller: Caller, collection_id: str) -> Any:
    return data.to_json(await _pools[0].fetchrow(GET, *caller, collection_id))


async def page(caller: Caller, limit: int, offset: int) -> Any:
    return data.page(await _pools[0].fetch(LIST, *caller, limit, offset), limit, offset)


async def tracks(caller: Caller, collection_id: str, limit: int, offset: int) -> Any:
    async with _pools[0].acquire() as connection:
        await _require_collection(connection, EXISTS, caller, collection_id)
        rows = await connection.fetch(TRACKS, *caller, collection_id, limit, offset)
    return data.track_page(rows, collection_id, limit, offset)


async def create(caller: Caller, name: str, description: str | None) -> Any:
    new = "mcoll_" + secrets.token_hex(6)
    return data.to_json(await _pools[0].fetchrow(CREATE, *caller, new, name, description, data.now()))


async def change(caller: Caller, collection_id: str, name: str) -> Any:
    return data.to_json(await _pools[0].fetchrow(CHANGE, *caller, collection_id, name, data.now()))


async def reorder(caller: Caller, collection_id: str, track_ids: list[str]) -> Any:
    async with _pools[0].acquire() as connection, connection.transaction():
        await _require_collection(connection, EXISTS + " FOR UPDATE", caller, collection_id)
        members = [tuple(row) for row in await connection.fetch(MEMBERS, *caller, collection_id)]
        for track, rank in data.moves(members, track_ids):
            await connection.execute(MOVE, *caller, collection_id, track, rank)
    return data.acknowledgement(collection_id)


async def _require_collection(connection: Any, statement: str, caller: Caller, collection_id: str) -> None:
    if await connection.fetchrow(statement, *caller, collection_id) is None:
        raise Absent
