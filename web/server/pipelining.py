"""Turns of pipelined requests (RFC 9112 section 9.3.2): a few start in each iteration of the event loop.

A client that sends thousands of requests at once gets its responses as fast as the server can, but between two of them
every other connection is served. Otherwise one iteration would last as long as there are pipelining clients.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

STARTS_PER_ITERATION = 4


class PipelineQueue:
    """The connections of one process whose next pipelined request may start, first in, first out."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def put(self, start: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        """Calls `start` when it is the turn of this connection."""
        self._waiting.append(start)
        if len(self._waiting) == 1:
            loop.call_soon(self._start, loop)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(min(STARTS_PER_ITERATION, len(self._waiting))):
            self._waiting.popleft()()
        if self._waiting:
            loop.call_soon(self._start, loop)
