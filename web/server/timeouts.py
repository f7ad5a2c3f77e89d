"""Header timeout and keep-alive timeout of one connection.

Decision 46.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LOOP_ITERATIONS = 2


class ConnectionTimeouts:
    """The two timers of one connection, with timeouts in seconds and a callback for each.

    The header timer starts when a connection is made, and then only for a header of which a part has arrived: most
    requests arrive in one piece and start no timer. The keep-alive timer is not moved for a request: when it fires, it
    checks how long the connection was idle.
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
        header_seconds: float,
        keepalive_seconds: float,
        on_header_timeout: Callable[[], object],
        on_keepalive_timeout: Callable[[], object],
    ) -> None:
        self._loop = loop
        self._header_seconds, self._keepalive_seconds = header_seconds, keepalive_seconds
        self._on_header_timeout, self._on_keepalive_timeout = on_header_timeout, on_keepalive_timeout
        self._header_timer: asyncio.Handle | None = None
        self._keepalive_timer: asyncio.Handle | None = None
        self._keepalive_ends = 0.0

    def start_header_timer(self) -> None:
        """Starts the header timer unless it is running."""
        if self._header_timer is None:
            self._header_timer = self._loop.call_later(self._header_seconds, self._check_header)

    def cancel_header_timer(self) -> None:
        """Stops the header timer: the header is complete, or the connection is closing."""
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def start_keepalive_timer(self) -> None:
        """Restarts the keep-alive timeout: the next request must begin within it."""
        self._keepalive_ends = self._loop.time() + self._keepalive_seconds
        if self._keepalive_timer is None:
            self._keepalive_timer = self._loop.call_later(self._keepalive_seconds, self._check_keepalive)

    def cancel(self) -> None:
        """Stops both timers: the connection is closed."""
        self.cancel_header_timer()
        if self._keepalive_timer is not None:
            self._keepalive_timer.cancel()
            self._keepalive_timer = None
        self._on_header_timeout = self._on_keepalive_timeout = _ignore  # they refer to the connection

    def _check_header(self, iterations: int = LOOP_ITERATIONS) -> None:
        # If the event loop was delayed, the request may be in the kernel's buffer. Two iterations of the loop read it
        # for certain. Another timer would not help: late timers run one after another without polling the sockets.
        if iterations:
            self._header_timer = self._loop.call_soon(self._check_header, iterations - 1)
        else:
            self._header_timer = None
            self._on_header_timeout()

    def _check_keepalive(self, iterations: int = LOOP_ITERATIONS) -> None:
        left = self._keepalive_ends - self._loop.time()
        if left > 0:
            self._keepalive_timer = self._loop.call_later(left, self._check_keepalive)
        elif iterations:
            self._keepalive_timer = self._loop.call_soon(self._check_keepalive, iterations - 1)
        else:
            self._keepalive_timer = None
            self._on_keepalive_timeout()


def _ignore() -> None:
    """The callback of a closed connection."""
