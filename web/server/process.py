"""Runs the server: one process or several, stopped without cutting a request."""

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

import web.lazy_imports  # noqa: F401 - before whatever loads Connexion or structlog
from web.server.config import ServerConfig
from web.server.lifespan_state import DRAINING
from web.server.listener import Listener
from web.server.protocol import Protocol

DRAIN_SECONDS, STEP_SECONDS = 1.0, 0.02
# What an accepted connection gets to bring its request, once no further connection is accepted.
QUIET_SECONDS = 1.0
# The collector of cycles looks again when there are so many more objects than at its last look.
GC_THRESHOLD = 50_000
FACTORY = "app:from_environment"


class GracefulServer(Server):
    """Stops in four steps: not ready, `connection: close` on every response, no new connections, all answered."""

    def __init__(self, config: ServerConfig, on_ready: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        connected = self.server_state.connections
        listeners: list[Any] = [Listener(one, self._protocol, connected) for one in sockets or ()]
        self.servers = listeners
        tune_gc()
        if self._on_ready is not None and self.started:
            self._on_ready()

    def _protocol(self) -> asyncio.Protocol:
        chosen: Any = self.config.http_protocol_class
        made: asyncio.Protocol = chosen(self.config, self.server_state, self.lifespan.state)
        return made

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        started = time.monotonic()
        # The application reads it: from here on readiness is refused.
        self.lifespan.state[DRAINING] = True
        self._announce_close()
        if self.server_state.connections:
            await self._wait(DRAIN_SECONDS)
        await self._stop_listening()
        await self._wait(QUIET_SECONDS, until_quiet=True)
        grace = self.config.timeout_graceful_shutdown or 0
        self.config.timeout_graceful_shutdown = max(0, grace - math.ceil(time.monotonic() - started))
        await super().shutdown(sockets=[])
        # The end of the process is in order only for what the collector sees.
        gc.unfreeze()

    async def _stop_listening(self) -> None:
        """Accepts what waits in the queue, then refuses new connections."""
        for listener in self.servers:
            listener.close()
            # Its last connections are told to end with the others.
            await listener.wait_closed()
        self.servers = []

    def _announce_close(self) -> None:
        # A request may be on its way on a connection that looks idle; closing it would cut that request. So a client
        # is told in its next response not to use the connection again (RFC 9112, section 9.6), and gets time to send.
        state = self.server_state
        state.default_headers = [*state.default_headers, (b"connection", b"close")]
        for connection in state.connections:
            # The request that is being answered was given its header fields before.
            cycle: Any = getattr(connection, "cycle", None)
            if cycle is not None:
                cycle.keep_alive = False

    async def _wait(self, seconds: float, *, until_quiet: bool = False) -> None:
        """Serve on for a while, at most half of the grace; a second signal ends it."""
        over = time.monotonic() + min(seconds, (self.config.timeout_graceful_shutdown or 0) / 2)
        while time.monotonic() < over and not self.force_exit:
            await asyncio.sleep(STEP_SECONDS)
            if until_quiet and not self.server_state.connections:
                return


class Worker(multiprocess.Process):
    """One process of several; it stops by itself when the supervisor is gone."""

    config: ServerConfig

    @property
    def server(self) -> Server:
        if self._server is None:
            self._server = GracefulServer(self.config)
        return self._server

    def is_alive(self, timeout: float = 5) -> bool:
        """Whether it answers within so many seconds; one that dies while it is asked is noticed at once."""
        over = time.monotonic() + timeout
        self.parent_conn.send(b"ping")
        while self.process.is_alive() and time.monotonic() < over:
            if self.parent_conn.poll(STEP_SECONDS):
                self.parent_conn.recv()
                return True
        return False

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        # A killed supervisor cannot stop its workers; they would keep the port from its successor.
        threading.Thread(target=exit_with_parent, args=(os.getppid(),), daemon=True).start()
        try:
            super().target(sockets)
        except Exception as problem:
            # Only this status tells the supervisor to give up; after any other it would start workers for ever.
            if self.server.started:
                raise
            sys.stderr.write(f"A worker could not start: {type(problem).__name__}: {problem}\n")
            sys.exit(STARTUP_FAILURE)


class Supervisor(multiprocess.Multiprocess):
    """Keeps the wanted number of workers alive, and says once that all of them serve."""

    def __init__(self, config: ServerConfig, sockets: list[socket.socket], on_ready: Callable[[], None]) -> None:
        super().__init__(config, sockets)
        self._on_ready = on_ready
        self.ready = False
        self.asked_to_stop = False

    def handle_int(self) -> None:
        self.asked_to_stop = True
        super().handle_int()

    def handle_term(self) -> None:
        self.asked_to_stop = True
        super().handle_term()

    def join_all(self) -> None:
        # Once the last worker has closed the sockets too, the kernel refuses new connections.
        for one in self.sockets:
            one.close()
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
    """Serve in this process until a signal; returns the exit status. `background` is entered as long as it serves.

    `options` are those of ServerConfig.
    """
    server = GracefulServer(server_config(application, 1, options), on_ready)
    # uvicorn raises the signal again once it has stopped in order. Meeting the server's own handler there, it has no
    # effect: a stop that was asked for is a success. Set this early, no signal is lost while the server starts.
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
    """Serve in several processes, each with its own application, until a signal; returns the exit status."""
    # The supervisor makes its processes from this name and offers no other way to choose their class.
    multiprocess.Process = Worker  # type: ignore[misc]
    supervisor = Supervisor(server_config(FACTORY, workers, options), sockets, on_ready)
    with background:
        supervisor.run()
    return 0 if supervisor.asked_to_stop else 1


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
    """Spare the collector of cycles what start-up has made, which stays, and requests in flight, which leave none."""
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, *gc.get_threshold()[1:])


def exit_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
