"""Accepts connections: several in one turn of the event loop where several wait."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sized

import structlog

# To accept a connection takes a fraction of the time that an answer takes.
ACCEPTS_PER_CONNECTION = 4
PAUSE_SECONDS = 1.0
# More than any queue of a listening socket.
MAX_QUEUED = 65_536
SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
log = structlog.get_logger("web.server.listener")


class Listener:
    """Takes connections from a listening socket, with the part of asyncio.Server's interface that uvicorn uses.

    libuv takes one connection in a turn of its loop. A turn under load answers every connection there is, so of a
    thousand clients at once the last would wait for a thousand turns, and the kernel's queue would overflow and cut
    some off. Here a turn takes some for each that it has already: its length stays within bounds, and several processes
    that listen on one socket share a rush.
    """

    def __init__(self, listening: socket.socket, protocol: Callable[[], asyncio.Protocol], connections: Sized) -> None:
        self._listening = listening
        self._protocol = protocol
        self._connections = connections
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
        """Those that were accepted have their protocol."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _resume(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self, limit: int = 0) -> None:
        for _ in range(limit or ACCEPTS_PER_CONNECTION * len(self._connections) or 1):
            try:
                accepted, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as problem:
                self._pause_accepting(problem)
                return
            self._connect(accepted)

    def _connect(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        task: asyncio.Task[object] = self._loop.create_task(
            self._loop.connect_accepted_socket(self._protocol, accepted)
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _pause_accepting(self, problem: OSError) -> None:
        """Without a free file nobody can be accepted until somebody leaves; to try at once would only spin."""
        if problem.errno not in SHORTAGES:
            raise problem
        log.warning("accept paused, out of file descriptors", reason=problem.strerror, seconds=PAUSE_SECONDS)
        self._loop.remove_reader(self._listening)
        self._pause = self._loop.call_later(PAUSE_SECONDS, self._resume)
