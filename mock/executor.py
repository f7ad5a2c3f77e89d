"""Who does the work of the mock: the event loop itself, one request after another, for nothing here waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from web.threadpool import ThreadPool

P = ParamSpec("P")
R = TypeVar("R")


class Inline(ThreadPool):
    """No threads; so no two requests ever meet in memory."""

    def __init__(self) -> None:
        super().__init__(threads=1)  # none is started before the first work

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's result."""
        return function(*args, **kwargs)

    async def run_on_loop_or_thread(self, function: Callable[..., R], *args: Any, writes: bool) -> R:
        """The same; what writes waits for nobody either."""
        return function(*args)
