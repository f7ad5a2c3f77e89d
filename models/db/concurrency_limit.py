"""Concurrency limit per user: writes of SQLite take turns, so that one user's long ones do not keep others waiting.

Decision 29.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from models.exceptions import Unavailable


class ConcurrencyLimit:
    """At most `limit` calls of one user run at a time; the others wait in the order of arrival, at most `seconds`.

    `users` has those with a call, and no others.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self.users: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def slot(self, user_id: str) -> AsyncIterator[None]:
        """One of the user's slots. Raises Unavailable if none becomes free in time."""
        semaphore = self.users.get(user_id)
        if semaphore is None:
            semaphore = self.users[user_id] = asyncio.Semaphore(self._limit)
        if semaphore.locked():
            await self._acquire_in_time(semaphore)
        else:
            await semaphore.acquire()
        try:
            yield
        finally:
            semaphore.release()

    async def _acquire_in_time(self, semaphore: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await semaphore.acquire()
        except TimeoutError:
            raise Unavailable("The database is busy with other writes of this user") from None
