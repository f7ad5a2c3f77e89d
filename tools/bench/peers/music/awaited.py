"""Data layer with SQLAlchemy Core and an async driver, asyncpg."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import create_async_engine

from tools.bench.peers.music import rules, statements
from tools.bench.peers.music.failures import Absent
from tools.bench.peers.music.rules import Caller
from tools.bench.peers.music.tables import URL


class Store:
    """The queries of the workloads, async."""

    def __init__(self) -> None:
        url = URL.replace("postgresql:", "postgresql+asyncpg:")
        self.engine = create_async_engine(url, pool_size=10, max_overflow=0)
        self.each = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    async def connect(self) -> None:
        """No effect: the engine connects at the first statement."""

    async def admit(self, secret: str | None, scope: str, organization_id: str) -> Caller:
        """The caller of a key. Raises Refused."""
        row = await self._one(statements.KEY, digest=rules.digest(secret)) if secret else None
        return rules.authenticate(row, scope, organization_id)

    async def get(self, caller: Caller, collection_id: str) -> dict[str, Any]:
        row = await self._one(statements.GET, **rules.owner_binds(caller, collection_id))
        return rules.to_json(_require_row(row))

    async def page(self, caller: Caller, limit: int, offset: int) -> dict[str, Any]:
        async with self.each.connect() as connection:
            binds = {"org": caller.organization_id, "owner": caller.user_id, "limit": limit, "offset": offset}
            return rules.page((await connection.execute(statements.LIST, binds)).all(), limit, offset)

    async def tracks(self, caller: Caller, collection_id: str, limit: int, offset: int) -> dict[str, Any]:
        async with self.each.connect() as connection:
            binds = rules.owner_binds(caller, collection_id) | {"limit": limit, "offset": offset}
            rows = (await connection.execute(statements.TRACKS, binds)).all()
        return rules.track_page(rows, collection_id, limit, offset)

    async def create(self, caller: Caller, fields: dict[str, Any]) -> dict[str, Any]:
        return rules.to_json(await self._one(statements.CREATE, **rules.new_row(caller, fields)))

    async def change(self, caller: Caller, collection_id: str, changes: dict[str, Any]) -> dict[str, Any]:
        row = await self._one(statements.change(changes, rules.now()), **rules.owner_binds(caller, collection_id))
        return rules.to_json(_require_row(row))

    async def reorder(self, caller: Caller, collection_id: str, track_ids: Sequence[str]) -> dict[str, Any]:
        binds = rules.owner_binds(caller, collection_id)
        async with self.engine.begin() as connection:
            _require_row((await connection.execute(statements.LOCK, binds)).first())
            moves = rules.moves((await connection.execute(statements.MEMBERS, binds)).all(), track_ids)
            if moves:
                await connection.execute(statements.MOVE, [binds | move for move in moves])
                await connection.execute(statements.TOUCH, binds | {"now": rules.now()})
        return rules.acknowledgement(collection_id)

    async def _one(self, statement: Any, **binds: Any) -> Any:
        async with self.each.connect() as connection:
            return (await connection.execute(statement, binds)).first()


def _require_row(row: Any) -> Any:
    if row is None:
        raise Absent
    return row
