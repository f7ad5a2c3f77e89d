"""Data layer with SQLAlchemy Core: sqlite3 on the event loop, which it blocks for microseconds; or asyncpg."""

from collections.abc import Awaitable, Callable
from typing import Any

from tools.bench.peers.music import awaited, plain
from tools.bench.peers.music.tables import IS_SQLITE


class _OnLoop:
    """The sync data layer, called without a thread."""

    def __init__(self) -> None:
        self._store = plain.Store()

    async def connect(self) -> None:
        """No effect: the engine connects at the first statement."""

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        query = getattr(self._store, name)

        async def call(*arguments: Any) -> Any:
            return query(*arguments)

        setattr(self, name, call)
        return call


Store: Any = _OnLoop if IS_SQLITE else awaited.Store
