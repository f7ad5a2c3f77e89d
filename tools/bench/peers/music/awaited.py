"""The data through SQLAlchemy Core and an asynchronous driver: aiosqlite or asyncpg."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tools.bench.peers.music import rules, statements
from tools.bench.peers.music.failures import Absent
from tools.bench.peers.music.plain import SETTINGS
from tools.bench.peers.music.rules import Caller
from tools.bench.peers.music.tables import IS_SQLITE, URL


class Store:
    """What the workloads ask of the data, awaited."""

    def __init__(self) -> None:
        driver = ("sqlite:", "sqlite+aiosqlite:") if IS_SQLITE else ("postgresql:", "postgresql+asyncpg:")
        options: dict[str, Any] = {"isolation_level": None} if IS_SQLITE else {}
        self.engine = create_async_engine(URL.replace(*driver), connect_args=options, pool_size=10, max_overflow=0)
        self.each = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        if IS_SQLITE:
            event.listen(self.engine.sync_engine, "connect", _prepare)

    async def admit(self, secret: str | None, scope: str, organization_id: str) -> Caller:
        """The caller that a key names; raises Refused."""
        row = await self._one(statements.KEY, digest=rules.digest(secret)) if secret else None
        return rules.admitted(row, scope, organization_id)

    async def get(self, caller: Caller, collection_id: str) -> dict[str, Any]:
        row = await self._one(statements.GET, **rules.own(caller, collection_id))
        return rules.shown(_there(row))

    async def page(self, caller: Caller, limit: int, offset: int) -> dict[str, Any]:
        async with self.each.connect() as connection:
            binds = {"org": caller.organization_id, "owner": caller.user_id, "limit": limit, "offset": offset}
            return rules.page((await connection.execute(statements.LIST, binds)).all(), limit, offset)

    async def tracks(self, caller: Caller, collection_id: str, limit: int, offset: int) -> dict[str, Any]:
        async with self.each.connect() as connection:
            binds = rules.own(caller, collection_id) | {"limit": limit, "offset": offset}
            rows = (await connection.execute(statements.TRACKS, binds)).all()
        return rules.track_page(rows, collection_id, limit, offset)

    async def create(self, caller: Caller, fields: dict[str, Any]) -> dict[str, Any]:
        return rules.shown(await self._one(statements.CREATE, **rules.fresh(caller, fields)))

    async def change(self, caller: Caller, collection_id: str, changes: dict[str, Any]) -> dict[str, Any]:
        row = await self._one(statements.change(changes, rules.now()), **rules.own(caller, collection_id))
        return rules.shown(_there(row))

    async def reorder(self, caller: Caller, collection_id: str, wished: Sequence[str]) -> dict[str, Any]:
        binds = rules.own(caller, collection_id)
        async with self._transaction() as connection:
            _there((await connection.execute(statements.LOCK, binds)).first())
            moves = rules.moves((await connection.execute(statements.MEMBERS, binds)).all(), wished)
            if moves:
                await connection.execute(statements.MOVE, [binds | move for move in moves])
                await connection.execute(statements.TOUCH, binds | {"now": rules.now()})
        return rules.done(collection_id)

    async def _one(self, statement: Any, **binds: Any) -> Any:
        async with self.each.connect() as connection:
            return (await connection.execute(statement, binds)).first()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        async with self.engine.begin() as connection:
            if IS_SQLITE:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection


def _prepare(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for setting in SETTINGS:
        cursor.execute(f"PRAGMA {setting}")
        cursor.fetchall()
    cursor.close()


def _there(row: Any) -> Any:
    if row is None:
        raise Absent
    return row
