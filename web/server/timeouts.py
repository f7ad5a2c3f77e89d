"""How long a connection may be silent: within a header, and between an answer and the next request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LOOP_ITERATIONS = 2


class ConnectionTimeouts:
    """Both waits of one connection, in seconds; `slow` is called when a header took too long, `idle` when none began.

    Nearly every request comes whole and at once, so no timer is started or moved for it: a header is waited for only
    when a part of it is there, and the timer between requests looks, when it is due, how long they have been over.
    """

    __slots__ = (
        "_header_seconds",
        "_header_timer",
        "_keepalive_ends",
        "_keepalive_seconds",
        "_keepalive_timer",
        "_loop",
        "_on_header_timeout",
        "_on_keepalive_timeout",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        header: float,
        rest: float,
        slow: Callable[[], object],
        idle: Callable[[], object],
    ) -> None:
        self._loop = loop
        self._header_seconds, self._keepalive_seconds = header, rest
        self._on_header_timeout, self._on_keepalive_timeout = slow, idle
        self._header_timer: asyncio.Handle | None = None
        self._keepalive_timer: asyncio.Handle | None = None
        self._keepalive_ends = 0.0

    def start_header_timer(self) -> None:
        """A header has to be complete in time, from the first call on."""
        if self._header_timer is None:
            self._header_timer = self._loop.call_later(self._header_seconds, self._check_header)

    def cancel_header_timer(self) -> None:
        """The header is complete, or nobody cares any more."""
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def start_keepalive_timer(self) -> None:
        """The next request has to begin in time, from this call on."""
        self._keepalive_ends = self._loop.time() + self._keepalive_seconds
        if self._keepalive_timer is None:
            self._keepalive_timer = self._loop.call_later(self._keepalive_seconds, self._check_keepalive)

    def cancel(self) -> None:
        """The connection is gone."""
        self.cancel_header_timer()
        if self._keepalive_timer is not None:
            self._keepalive_timer.cancel()
            self._keepalive_timer = None

    def _check_header(self, turns: int = LOOP_ITERATIONS) -> None:
        # It may be the loop that was slow, and the request may wait in the kernel. Two turns of the loop read it for
        # certain; a timer would not do, because timers that are late follow each other without a look at sockets.
        if turns:
            self._header_timer = self._loop.call_soon(self._check_header, turns - 1)
        else:
            self._header_timer = None
            self._on_header_timeout()

    def _check_keepalive(self, turns: int = LOOP_ITERATIONS) -> None:
        left = self._keepalive_ends - self._loop.time()
        if left > 0:
            self._keepalive_timer = self._loop.call_later(left, self._check_keepalive)
        elif turns:
            self._keepalive_timer = self._loop.call_soon(self._check_keepalive, turns - 1)
        else:
            self._keepalive_timer = None
            self._on_keepalive_timeout()
