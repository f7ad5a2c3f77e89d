"""Server process: serves until a signal, and shuts down gracefully, so that no request is cut.

Decisions 48 and 49.
"""

from __future__ import annotations

import web.lazy_imports  # noqa: F401 - must precede every import of structlog or uvicorn

# isort: split
import asyncio
import gc
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

import structlog
from uvicorn.server import Server

from web.server import signals
from web.server.config import ServerConfig
from web.server.lifespan_state import DRAINING
from web.server.listener import Listener
from web.server.protocol import Protocol
from web.server.shutdown_deadline import ShutdownDeadline
from web.server.sockets import refuse_new_connections

DRAIN_SECONDS, POLL_SECONDS = 1.0, 0.02
# The time in which handshakes that have begun reach the accept queue.
HANDSHAKE_SECONDS = 0.02
# The time for an open connection to send one more request after DRAIN_SECONDS.
LAST_REQUEST_SECONDS = 1.0
# The last part of the shutdown timeout, in which the process ends after its requests: this or a quarter of it.
EXIT_SECONDS = 1.0
# Allocations minus deallocations that start a garbage collection.
GC_THRESHOLD = 50_000
FACTORY = "app:from_environment"
IGNORED = "one process cannot be replaced without an interruption: restart it, or run several workers"
log = structlog.get_logger("web.server.process")


class GracefulServer(Server):
    """Graceful shutdown on SIGTERM, in these steps.

    1. Readiness fails and responses carry `connection: close`, for 1 s if there are connections.
    2. New connections are refused, those in the accept queue are accepted, and the listening sockets are closed.
    3. Open connections get 1 s for a last request, less if all of them close.
    4. Requests in flight are answered until 1 s before the end of the shutdown timeout; then they are cancelled.
    5. `deadline`, if there is one, ends the process at the end of the timeout.

    Each second is at most a quarter of the shutdown timeout, and so is the last one. A worker shares its listening
    sockets: others may go on with them, so that only its supervisor refuses new connections.
    """

    def __init__(
        self,
        config: ServerConfig,
        on_ready: Callable[[], None] | None = None,
        deadline: ShutdownDeadline | None = None,
        *,
        shares_sockets: bool = False,
    ) -> None:
        super().__init__(config)
        self._shares_sockets = shares_sockets
        self._on_ready = on_ready
        self._deadline = deadline
        self._terminal = signals.Terminal()
        self._loop: asyncio.AbstractEventLoop | None = None

    def handle_signals(self, reason: str) -> None:
        """Sets the signal handlers of this process; `reason` says why a signal of an operator has no effect."""
        self._reason = reason
        signals.handle(self.handle_exit, self._ignore)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Signal handler: starts the graceful shutdown."""
        if self._deadline is not None:
            self._deadline.start()
        super().handle_exit(sig, frame)

    def _ignore(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: logs that the signal has no effect, on the event loop, because logging takes locks."""
        if number == signal.SIGHUP and self._terminal.is_gone():
            self.handle_exit(number, frame)
        elif self._loop is not None and not self._loop.is_closed():
            name = signal.Signals(number).name
            self._loop.call_soon_threadsafe(lambda: log.warning("signal ignored", signal=name, reason=self._reason))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets=[])
        listeners: list[Any] = [Listener(listening, self._protocol, self._answered) for listening in sockets or ()]
        self.servers = listeners
        tune_gc()
        if self._on_ready is not None and self.started:
            self._on_ready()

    def _answered(self) -> int:
        """Requests after which the connection stayed open; see web.server.protocol."""
        return self.server_state.total_requests

    def _protocol(self) -> asyncio.Protocol:
        protocol_class: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = protocol_class(self.config, self.server_state, self.lifespan.state)
        return protocol

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        started = time.monotonic()
        # The application reads this flag: from now on readiness fails.
        self.lifespan.state[DRAINING] = True
        self._announce_close()
        if self.server_state.connections:
            await self._wait(DRAIN_SECONDS)
        if not self._shares_sockets:
            for listening in sockets or ():
                refuse_new_connections(listening)
            await asyncio.sleep(HANDSHAKE_SECONDS)
        await self._stop_listening()
        await self._wait(LAST_REQUEST_SECONDS, until_quiet=True)
        timeout = self.config.timeout_graceful_shutdown or 0
        left = timeout - min(EXIT_SECONDS, timeout / 4) - (time.monotonic() - started)
        self.config.timeout_graceful_shutdown = max(0.0, left)  # type: ignore[assignment] # of asyncio.wait_for
        await super().shutdown(sockets=[])
        # At exit, only objects that the garbage collector tracks are finalized in order.
        gc.unfreeze()

    async def _stop_listening(self) -> None:
        """Accepts the connections in the backlog, then closes the listening sockets."""
        for listener in self.servers:
            listener.close()
            # The connections accepted last are closed with the others.
            await listener.wait_closed()
        self.servers = []

    def _announce_close(self) -> None:
        # Closing an idle connection could cut a request that is on its way. So the next response on each connection has
        # `connection: close` (RFC 9112 section 9.6), and the client gets time for that request.
        state = self.server_state
        state.default_headers = [*state.default_headers, (b"connection", b"close")]
        for connection in state.connections:
            # A request in progress has its copy of the default headers already.
            cycle: Any = getattr(connection, "cycle", None)
            if cycle is not None:
                cycle.keep_alive = False

    async def _wait(self, seconds: float, *, until_quiet: bool = False) -> None:
        """Keeps serving for `seconds`, at most a quarter of the shutdown timeout; a second signal ends the wait."""
        deadline = time.monotonic() + min(seconds, (self.config.timeout_graceful_shutdown or 0) / 4)
        while time.monotonic() < deadline and not self.force_exit:
            await asyncio.sleep(POLL_SECONDS)
            if until_quiet and not self.server_state.connections:
                return


def serve(
    application: Any,
    sockets: list[socket.socket],
    options: Mapping[str, Any],
    on_ready: Callable[[], None],
    background: AbstractContextManager[object],
) -> int:
    """Serves in this process until a signal, inside the context `background`; returns the exit status.

    `options` are those of ServerConfig.
    """
    config = server_config(application, 1, options)
    server = GracefulServer(config, on_ready, ShutdownDeadline(config.timeout_graceful_shutdown or 0))
    # uvicorn raises the signal again after a graceful stop. With the server's own handler it then has no effect, so a
    # requested stop is a success.
    server.handle_signals(IGNORED)
    with background:
        server.run(sockets)
    return 0 if server.started else 1


def server_config(application: Any, workers: int, options: Mapping[str, Any]) -> ServerConfig:
    return ServerConfig(
        application,
        factory=workers > 1,
        workers=workers,
        http=Protocol,
        ws="none",
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_worker_healthcheck=30,
        **options,
    )


def tune_gc() -> None:
    """Excludes the objects of start-up from garbage collection, and collects rarely: requests leave no cycles.

    The start was without collections; they would take a tenth of it.
    """
    gc.freeze()
    gc.enable()
    gc.set_threshold(GC_THRESHOLD, *gc.get_threshold()[1:])
