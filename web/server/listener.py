"""Accept loop of a listening socket: accepts several waiting connections per event loop iteration.

Decision 47.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

import structlog

# Connections accepted in an iteration that answered no open connection.
MIN_ACCEPTS = 16
PAUSE_SECONDS = 1.0
# More than any queue of a listening socket.
MAX_QUEUED = 65_536
SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
log = structlog.get_logger("web.server.listener")


class Listener:
    """Accepts connections from a listening socket; has the part of asyncio.Server's interface that uvicorn uses.

    libuv accepts one connection per loop iteration. Under load, an iteration serves every open connection, so the last
    of 1,000 simultaneous clients would wait for 1,000 iterations, and the kernel's backlog would overflow. Here an
    iteration accepts as many connections as it has answered requests of open ones, and at least 16. So its duration
    stays bounded, new connections wait for open ones and not the reverse, and processes that listen on the same socket
    share a burst. `answered` is the number of requests after which a connection stayed open.
    """

    def __init__(
        self, listening: socket.socket, protocol: Callable[[], asyncio.Protocol], answered: Callable[[], int]
    ) -> None:
        self._listening = listening
        self._protocol = protocol
        self._answered = answered
        self._answered_before = answered()
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[object]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._resume()

    def close(self) -> None:
        """Accepts what waits in the queue, which closing the socket would reset, and closes the socket at once."""
        self._loop.remove_reader(self._listening)
        self._accept(MAX_QUEUED)
        self._listening.close()
        if self._pause is not None:
            self._pause.cancel()

    async def wait_closed(self) -> None:
        """Waits until every accepted connection has its protocol."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _resume(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self, limit: int = 0) -> None:
        answered, before = self._answered(), self._answered_before
        self._answered_before = answered
        for _ in range(max(limit, answered - before, MIN_ACCEPTS)):
            try:
                accepted, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause_accepting(error)
                return
            self._connect(accepted)

    def _connect(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        task: asyncio.Task[object] = self._loop.create_task(
            self._loop.connect_accepted_socket(self._protocol, accepted)
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _pause_accepting(self, error: OSError) -> None:
        """Pauses for one second when file descriptors or memory run out; retrying at once would be a busy loop."""
        if error.errno not in SHORTAGES:
            raise error
        log.warning("accept paused, out of file descriptors", reason=error.strerror, seconds=PAUSE_SECONDS)
        self._loop.remove_reader(self._listening)
        self._pause = self._loop.call_later(PAUSE_SECONDS, self._resume)
