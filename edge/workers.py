"""Who does the waiting: a bounded number of threads, and the event loop itself for what never waits."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from models import database

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
        """The result of a function that only reads: at once where the database allows it, else out of a thread."""
        if not database.reads_wait():
            try:
                return database.at_once(function, *args, **kwargs)
            except database.MustWait:
                pass
        return await self.run(function, *args, **kwargs)
