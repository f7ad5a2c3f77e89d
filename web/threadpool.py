"""Who does the waiting: a bounded number of threads, and the event loop itself for what never waits."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from models.db import connection
from models.db.event_loop import WouldBlock

P = ParamSpec("P")
R = TypeVar("R")


class ThreadPool:
    """As many threads as the database has connections; more would only wait for one of them."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, "worker")

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's result, out of a thread that has the context of the request."""
        work = partial(contextvars.copy_context().run, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def run_on_loop_or_thread(self, function: Callable[..., R], *args: Any, writes: bool) -> R:
        """What a function that asks the database gives: on the event loop, or out of a thread where it must wait.

        `writes`: whether it may also change something.
        """
        try:
            return await connection.run_on_loop(function, *args, writes=writes)
        except WouldBlock:
            pass  # and not from here, where whatever goes wrong would seem to be a consequence
        return await self.run(function, *args)
