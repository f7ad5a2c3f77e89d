"""How long a connection may be silent: within a header, and between an answer and the next request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TURNS = 2


class Patience:
    """Both waits of one connection, in seconds; `slow` is called when a header took too long, `idle` when none began.

    Nearly every request comes whole and at once, so no timer is started or moved for it: a header is waited for only
    when a part of it is there, and the timer between requests looks, when it is due, how long they have been over.
    """

    __slots__ = ("_header", "_idle", "_loop", "_rest", "_rest_ends", "_resting", "_slow", "_waiting")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        header: float,
        rest: float,
        slow: Callable[[], object],
        idle: Callable[[], object],
    ) -> None:
        self._loop = loop
        self._header, self._rest = header, rest
        self._slow, self._idle = slow, idle
        self._waiting: asyncio.Handle | None = None
        self._resting: asyncio.Handle | None = None
        self._rest_ends = 0.0

    def await_header(self) -> None:
        """A header has to be complete in time, from the first call on."""
        if self._waiting is None:
            self._waiting = self._loop.call_later(self._header, self._look_once_more)

    def stop_waiting(self) -> None:
        """The header is complete, or nobody cares any more."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def rest(self) -> None:
        """The next request has to begin in time, from this call on."""
        self._rest_ends = self._loop.time() + self._rest
        if self._resting is None:
            self._resting = self._loop.call_later(self._rest, self._look_at_rest)

    def end(self) -> None:
        """The connection is gone."""
        self.stop_waiting()
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None

    def _look_once_more(self, turns: int = TURNS) -> None:
        # It may be the loop that was slow, and the request may wait in the kernel. Two turns of the loop read it for
        # certain; a timer would not do, because timers that are late follow each other without a look at sockets.
        if turns:
            self._waiting = self._loop.call_soon(self._look_once_more, turns - 1)
        else:
            self._waiting = None
            self._slow()

    def _look_at_rest(self, turns: int = TURNS) -> None:
        left = self._rest_ends - self._loop.time()
        if left > 0:
            self._resting = self._loop.call_later(left, self._look_at_rest)
        elif turns:
            self._resting = self._loop.call_soon(self._look_at_rest, turns - 1)
        else:
            self._resting = None
            self._idle()
