"""Supervisor of several server processes: starts, replaces, renews and stops them, and never waits for one of them.

Decision 66.
"""

from __future__ import annotations

import web.lazy_imports  # noqa: F401 - must precede every import of structlog or uvicorn

# isort: split
import gc
import math
import os
import queue
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any

import structlog
from uvicorn.config import STARTUP_FAILURE
from uvicorn.server import Server
from uvicorn.supervisors import multiprocess

from web.periodic_thread import PeriodicThread
from web.server import signals
from web.server.config import ServerConfig
from web.server.process import DRAIN_SECONDS, FACTORY, HANDSHAKE_SECONDS, POLL_SECONDS, GracefulServer, server_config
from web.server.shutdown_deadline import MIN_SECONDS, ShutdownDeadline, end_process
from web.server.sockets import refuse_new_connections
from web.telemetry import standard_streams

TICK_SECONDS = 0.25
PARENT_SECONDS = 0.5
# The last part of the shutdown timeout, in which workers are killed: this or a tenth of it.
KILL_SECONDS = 0.3
IGNORED = "a worker ignores it: send it to the supervisor"
log = structlog.get_logger("web.server.supervisor")


class Worker(multiprocess.Process):
    """A worker process; it stops by itself when the supervisor has died."""

    config: ServerConfig

    def __init__(self, config: ServerConfig, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self.ready = False
        self._unanswered = 0  # checks since the last ping, without an answer
        self._retired_at = math.inf
        self.start()

    def is_usable(self) -> bool:
        """Whether the process lives and answers pings; call it once per tick. It reads an answer and never waits."""
        if self._unanswered and not self.parent_conn.poll():
            self._unanswered += 1
        else:
            self.ready = self._unanswered > 0 and self.parent_conn.recv()
            self.parent_conn.send(b"ping")
            self._unanswered = 1
        return self.process.is_alive() and self._unanswered * TICK_SECONDS <= self.config.timeout_worker_healthcheck

    def retire(self) -> None:
        """Tells the worker to shut down gracefully."""
        self._retired_at = time.monotonic()
        self.process.terminate()

    def has_ended(self) -> bool:
        """Whether the process has ended; a retired one is killed when it exceeds the shutdown timeout."""
        if self.process.is_alive():
            timeout = (self.config.timeout_graceful_shutdown or 0) + MIN_SECONDS
            if time.monotonic() > self._retired_at + timeout:
                self.process.kill()
            return False
        self.parent_conn.close()
        self.child_conn.close()
        return True

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves in the worker's process."""
        gc.disable()  # as in cli/serving.py: the start of the server enables it
        standard_streams.replace()
        deadline = ShutdownDeadline(self.config.timeout_graceful_shutdown or 0)
        server = GracefulServer(self.config, None, deadline, shares_sockets=True)
        self._server: Server | None = server  # `pong` answers with its `started`
        server.handle_signals(IGNORED)
        # A killed supervisor cannot stop its workers, and they would keep the port in use.
        PeriodicThread("parent check", partial(stop_without_parent, os.getppid()), PARENT_SECONDS).start()
        PeriodicThread("ping", self.pong, POLL_SECONDS).start()
        try:
            server.run(sockets)
        except Exception as error:
            # Only this exit status makes the supervisor give up; after any other it would start workers for ever.
            if server.started:
                raise
            sys.stderr.write(f"A worker could not start: {type(error).__name__}: {error}\n")
            sys.exit(STARTUP_FAILURE)
        end_process(0)


class Supervisor:
    """Keeps the configured number of workers alive, and calls `on_ready` once all of them serve."""

    def __init__(self, config: ServerConfig, sockets: list[socket.socket], on_ready: Callable[[], None]) -> None:
        self._config = config
        self._sockets = sockets
        self._on_ready: Callable[[], None] | None = on_ready
        self._workers: list[Worker] = []
        self._ending: list[Worker] = []
        self._outdated: list[Worker] = []  # those that SIGHUP renews
        self._replacement: Worker | None = None  # of the first outdated one
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._terminal = signals.Terminal()
        self._renew_background: Callable[[], None] = lambda: None
        self._status: int | None = None
        self._deadline = ShutdownDeadline(config.timeout_graceful_shutdown or 0, self._kill_all)

    def run(self, renew_background: Callable[[], None]) -> int:
        """Runs the workers until a signal; returns the exit status. SIGHUP calls `renew_background` too."""
        self._renew_background = renew_background
        signals.handle(self._stop_on_signal, self._queue_signal)
        for number in signals.OF_TERMINALS:
            signal.signal(number, self._queue_signal)
        self._workers = [self._new_worker() for _ in range(self._config.workers)]
        while self._status is None:
            with suppress(queue.Empty):
                self._handle(self._signals.get(timeout=TICK_SECONDS))
            self._check_workers()
            self._renew()
        self._stop()
        return self._status

    def _queue_signal(self, number: int, _frame: object) -> None:
        """Signal handler; SimpleQueue.put is reentrant."""
        self._signals.put(number)

    def _stop_on_signal(self, number: int, _frame: object) -> None:
        """Signal handler: the shutdown timeout begins now."""
        self._deadline.start()
        self._signals.put(number)

    def _handle(self, number: int) -> None:
        match number:
            case signal.SIGHUP if not self._terminal.is_gone():
                self._outdated = [*self._workers]
                self._renew_background()
            case signal.SIGTTIN:
                self._workers.append(self._new_worker())
            case signal.SIGTTOU if len(self._workers) > 1:
                self._retire(self._workers.pop())
            case signal.SIGTTOU | signal.SIGUSR1 | signal.SIGUSR2:
                log.warning("signal ignored", signal=signal.Signals(number).name, workers=len(self._workers))
            case _:
                self._status = 0

    def _check_workers(self) -> None:
        for index, worker in enumerate(self._workers):
            if not worker.is_usable():
                self._workers[index] = self._replaced(worker)
        self._ending = [worker for worker in self._ending if not worker.has_ended()]
        if self._on_ready is not None and all(worker.ready for worker in self._workers):
            self._on_ready()
            self._on_ready = None

    def _replaced(self, worker: Worker) -> Worker:
        if worker.exitcode == STARTUP_FAILURE:
            self._status = 1
            return worker
        log.warning("worker replaced", pid=worker.pid, status=worker.exitcode)
        self._kill(worker)
        return self._new_worker()

    def _renew(self) -> None:
        """One step of a renewal: each outdated worker is retired once its replacement is ready."""
        self._outdated = [worker for worker in self._outdated if worker in self._workers]
        new = self._replacement
        if new is None:
            self._replacement = self._new_worker() if self._outdated else None
        elif not new.is_usable():
            log.error("renewal abandoned, the new worker did not start", pid=new.pid, status=new.exitcode)
            self._kill(new)
            self._outdated, self._replacement = [], None
        elif new.ready:
            self._replacement = None
            old = self._outdated[0] if self._outdated else new
            self._workers = [new if worker is old else worker for worker in self._workers]
            self._retire(old)

    def _new_worker(self) -> Worker:
        return Worker(self._config, self._sockets)

    def _retire(self, worker: Worker) -> None:
        worker.retire()
        self._ending.append(worker)

    def _kill(self, worker: Worker) -> None:
        worker.process.kill()
        self._ending.append(worker)

    def _all(self) -> list[Worker]:
        return [*self._workers, *self._ending, *([self._replacement] if self._replacement else [])]

    def _kill_all(self) -> None:
        for worker in self._all():
            worker.process.kill()

    def _stop(self) -> None:
        """Stops the workers gracefully, and kills those that exceed the shutdown timeout."""
        started, seconds = time.monotonic(), self._deadline.seconds
        for worker in self._all():
            worker.retire()
        # Before a worker with open connections closes its copies of the listening sockets.
        self._await_workers(started + min(DRAIN_SECONDS, seconds / 4) - HANDSHAKE_SECONDS)
        for listening in self._sockets:
            refuse_new_connections(listening)
            listening.close()
        self._await_workers(started + seconds - min(KILL_SECONDS, seconds / 10))
        self._kill_all()

    def _await_workers(self, until: float) -> None:
        """Waits until all workers have ended, or until a time of the monotonic clock."""
        while any(worker.process.is_alive() for worker in self._all()) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)


def supervise(
    sockets: list[socket.socket],
    workers: int,
    options: Mapping[str, Any],
    on_ready: Callable[[], None],
    background: AbstractContextManager[Callable[[], None]],
) -> int:
    """Serves in several processes, each with its own application, until a signal; returns the exit status.

    `background` returns what renews its processes, at SIGHUP.
    """
    supervisor = Supervisor(server_config(FACTORY, workers, options), sockets, on_ready)
    with background as renew_background:
        return supervisor.run(renew_background)


def stop_without_parent(parent: int) -> None:
    """Stops this process gracefully if `parent` is no more its parent process."""
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
