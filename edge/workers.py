"""Who does the waiting: a bounded number of threads, and the event loop itself for what never waits."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

from models import database
from models.hurry import MustWait

P = ParamSpec("P")
R = TypeVar("R")


class Workers:
    """As many threads as the database has connections; more would only wait for one of them."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, "worker")

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's result, out of a thread that has the context of the request."""
        work = partial(contextvars.copy_context().run, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def read(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a function that only reads: by the event loop where it may ask the database, else as above."""
        if database.asks_on_loop(writes=False):
            with suppress(MustWait):
                return await database.on_loop(function, *args, **kwargs)
        return await self.run(function, *args, **kwargs)

    async def write(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The same for a function that may write."""
        if database.asks_on_loop(writes=True):
            with suppress(MustWait):
                return await database.on_loop(function, *args, **kwargs)
        return await self.run(function, *args, **kwargs)
