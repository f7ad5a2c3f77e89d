"""Server processes: one, or several under a supervisor; graceful shutdown that cuts no request.

Decisions 48 and 49.
"""

import asyncio
import gc
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from uvicorn import Server
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import multiprocess

import web.lazy_imports  # noqa: F401 - must precede every import of Connexion or structlog
from web.server.config import ServerConfig
from web.server.lifespan_state import DRAINING
from web.server.listener import Listener
from web.server.protocol import Protocol

DRAIN_SECONDS, POLL_SECONDS = 1.0, 0.02
# The time for an open connection to send one more request after DRAIN_SECONDS.
LAST_REQUEST_SECONDS = 1.0
# Allocations minus deallocations that start a garbage collection.
GC_THRESHOLD = 50_000
FACTORY = "app:from_environment"


class GracefulServer(Server):
    """Graceful shutdown on SIGTERM, in these steps.

    1. Readiness fails and responses carry `connection: close`, for 1 s if there are connections.
    2. The connections in the accept queue are accepted, and the listening sockets are closed.
    3. Open connections get 1 s for a last request, less if all of them close.
    4. Requests in flight are answered within the rest of the shutdown timeout; then they are cancelled.

    Each second is at most half of the shutdown timeout.
    """

    def __init__(self, config: ServerConfig, on_ready: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        connections = self.server_state.connections
        listeners: list[Any] = [Listener(listening, self._protocol, connections) for listening in sockets or ()]
        self.servers = listeners
        tune_gc()
        if self._on_ready is not None and self.started:
            self._on_ready()

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
        await self._stop_listening()
        await self._wait(LAST_REQUEST_SECONDS, until_quiet=True)
        grace = self.config.timeout_graceful_shutdown or 0
        self.config.timeout_graceful_shutdown = max(0, grace - math.ceil(time.monotonic() - started))
        await super().shutdown(sockets=[])
        # At exit, only objects that the garbage collector tracks are finalized in order.
        gc.unfreeze()

    async def _stop_listening(self) -> None:
        """Accepts the connections in the backlog, then refuses new ones."""
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
        """Keeps serving for `seconds`, at most half of the shutdown timeout; a second signal ends the wait."""
        deadline = time.monotonic() + min(seconds, (self.config.timeout_graceful_shutdown or 0) / 2)
        while time.monotonic() < deadline and not self.force_exit:
            await asyncio.sleep(POLL_SECONDS)
            if until_quiet and not self.server_state.connections:
                return


class Worker(multiprocess.Process):
    """A worker process; it stops by itself when the supervisor has died."""

    config: ServerConfig

    @property
    def server(self) -> Server:
        if self._server is None:
            self._server = GracefulServer(self.config)
        return self._server

    def is_alive(self, timeout: float = 5) -> bool:
        """Whether the worker responds to a ping within `timeout` seconds; returns at once when it dies meanwhile."""
        deadline = time.monotonic() + timeout
        self.parent_conn.send(b"ping")
        while self.process.is_alive() and time.monotonic() < deadline:
            if self.parent_conn.poll(POLL_SECONDS):
                self.parent_conn.recv()
                return True
        return False

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        # A killed supervisor cannot stop its workers, and they would keep the port in use.
        threading.Thread(target=exit_with_parent, args=(os.getppid(),), daemon=True).start()
        try:
            super().target(sockets)
        except Exception as error:
            # Only this exit status makes the supervisor give up; after any other it would start workers for ever.
            if self.server.started:
                raise
            sys.stderr.write(f"A worker could not start: {type(error).__name__}: {error}\n")
            sys.exit(STARTUP_FAILURE)


class Supervisor(multiprocess.Multiprocess):
    """Keeps the configured number of workers alive, and calls `on_ready` once all of them serve."""

    def __init__(self, config: ServerConfig, sockets: list[socket.socket], on_ready: Callable[[], None]) -> None:
        super().__init__(config, sockets)
        self._on_ready = on_ready
        self.ready = False
        self.stop_requested = False

    def handle_int(self) -> None:
        self.stop_requested = True
        super().handle_int()

    def handle_term(self) -> None:
        self.stop_requested = True
        super().handle_term()

    def join_all(self) -> None:
        # The kernel refuses new connections once the supervisor and all workers have closed the sockets.
        for listening in self.sockets:
            listening.close()
        super().join_all()

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        if not self.ready and not self.should_exit.is_set() and all(worker.is_ready() for worker in self.processes):
            self.ready = True
            self._on_ready()


def serve(
    application: Any,
    sockets: list[socket.socket],
    options: Mapping[str, Any],
    on_ready: Callable[[], None],
    background: AbstractContextManager[None],
) -> int:
    """Serves in this process until a signal, inside the context `background`; returns the exit status.

    `options` are those of ServerConfig.
    """
    server = GracefulServer(server_config(application, 1, options), on_ready)
    # uvicorn raises the signal again after a graceful stop. With the server's own handler it then has no effect, so a
    # requested stop is a success. The handlers are set before the start, so that no signal is lost.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    with background:
        server.run(sockets)
    return 0 if server.started else 1


def supervise(
    sockets: list[socket.socket],
    workers: int,
    options: Mapping[str, Any],
    on_ready: Callable[[], None],
    background: AbstractContextManager[None],
) -> int:
    """Serves in several processes, each with its own application, until a signal; returns the exit status."""
    # uvicorn's supervisor creates processes by this name and has no option for their class.
    multiprocess.Process = Worker  # type: ignore[misc]
    supervisor = Supervisor(server_config(FACTORY, workers, options), sockets, on_ready)
    with background:
        supervisor.run()
    return 0 if supervisor.stop_requested else 1


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
    """Excludes the objects of start-up from garbage collection, and collects rarely: requests leave no cycles."""
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, *gc.get_threshold()[1:])


def exit_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
