"""Data layer with SQL written by hand: sqlite3 on the event loop, or asyncpg with prepared statements."""

from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import Any

from tools.bench.peers.bare import data
from tools.bench.peers.music.failures import Absent, Unauthenticated

_driver: Any = import_module(f"tools.bench.peers.bare.{'sqlite' if data.IS_SQLITE else 'postgres'}")


class Store:
    """The queries of the workloads, async."""

    async def connect(self) -> None:
        """Connects to the database."""
        await _driver.connect()

    async def admit(self, secret: str | None, _scope: str, organization_id: str) -> data.Caller:
        """The caller of a key. Raises Refused."""
        row = await _driver.key(data.digest(secret.encode())) if secret else None
        caller = data.authenticate(row, organization_id)
        if caller is None:
            raise Unauthenticated
        return caller

    async def get(self, caller: Any, collection_id: str) -> Any:
        return await _found(_driver.get, caller, collection_id)

    async def page(self, caller: Any, limit: int, offset: int) -> Any:
        return await _driver.page(caller, limit, offset)

    async def tracks(self, caller: Any, collection_id: str, limit: int, offset: int) -> Any:
        return await _found(_driver.tracks, caller, collection_id, limit, offset)

    async def create(self, caller: Any, fields: dict[str, Any]) -> Any:
        return await _driver.create(caller, fields["name"], fields.get("description"))

    async def change(self, caller: Any, collection_id: str, changes: dict[str, Any]) -> Any:
        return await _found(_driver.change, caller, collection_id, changes["name"])

    async def reorder(self, caller: Any, collection_id: str, track_ids: Sequence[str]) -> Any:
        return await _found(_driver.reorder, caller, collection_id, track_ids)


async def _found(query: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    try:
        return await query(*arguments)
    except data.Absent:
        raise Absent from None
