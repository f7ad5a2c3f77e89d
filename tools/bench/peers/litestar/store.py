"""The faster way to the data on either database: SQLite is asked right on the event loop, PostgreSQL is awaited."""

from collections.abc import Sequence
from typing import Any

from tools.bench.peers.music import awaited, plain
from tools.bench.peers.music.rules import Caller
from tools.bench.peers.music.tables import IS_SQLITE


class OnLoop:
    """The synchronous store behind awaited functions that never wait."""

    def __init__(self) -> None:
        self.store = plain.Store()

    async def admit(self, secret: str | None, scope: str, organization_id: str) -> Caller:
        return self.store.admit(secret, scope, organization_id)

    async def get(self, caller: Caller, collection_id: str) -> dict[str, Any]:
        return self.store.get(caller, collection_id)

    async def page(self, caller: Caller, limit: int, offset: int) -> dict[str, Any]:
        return self.store.page(caller, limit, offset)

    async def tracks(self, caller: Caller, collection_id: str, limit: int, offset: int) -> dict[str, Any]:
        return self.store.tracks(caller, collection_id, limit, offset)

    async def create(self, caller: Caller, fields: dict[str, Any]) -> dict[str, Any]:
        return self.store.create(caller, fields)

    async def change(self, caller: Caller, collection_id: str, changes: dict[str, Any]) -> dict[str, Any]:
        return self.store.change(caller, collection_id, changes)

    async def reorder(self, caller: Caller, collection_id: str, wished: Sequence[str]) -> dict[str, Any]:
        return self.store.reorder(caller, collection_id, wished)


Store: type[OnLoop | awaited.Store] = OnLoop if IS_SQLITE else awaited.Store
