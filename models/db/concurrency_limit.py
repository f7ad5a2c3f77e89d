"""Concurrency limit per user: writes of SQLite take turns, so that one user's long ones do not keep others waiting.

Decision 29.
"""

from __future__ import annotations

import asyncio

from models.exceptions import Unavailable

MAX_USERS = 1024


class ConcurrencyLimit:
    """At most `limit` calls of one user run at a time; the others wait in the order of arrival, at most `seconds`.

    More than MAX_USERS are forgotten, which at worst lets a user begin two more calls.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._users: dict[str, asyncio.Semaphore] = {}

    async def acquire(self, user_id: str) -> asyncio.Semaphore:
        """Takes a slot of the user; release the semaphore afterwards. Raises Unavailable if none is free in time."""
        semaphore = self._users.get(user_id) or self._add(user_id)
        if semaphore.locked():
            await self._acquire_in_time(semaphore)
        else:
            await semaphore.acquire()
        return semaphore

    def _add(self, user_id: str) -> asyncio.Semaphore:
        if len(self._users) >= MAX_USERS:
            self._users.clear()
        semaphore = self._users[user_id] = asyncio.Semaphore(self._limit)
        return semaphore

    async def _acquire_in_time(self, semaphore: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await semaphore.acquire()
        except TimeoutError:
            raise Unavailable("The database is busy with other writes of this user") from None
