"""Keeps workers alive beside a server: starts them, replaces one that has ended, and stops them.

A worker that ends soon after its start is replaced later and later, so that one that cannot work costs nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from types import TracebackType

import structlog

from web.periodic_thread import PeriodicThread

TICK_SECONDS = 0.25
STOP_SECONDS = 3.0
STEADY_SECONDS = 30.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 60.0
log = structlog.get_logger("worker.supervisor")


class _Place:
    """One worker, and when it may be started again."""

    def __init__(self, target: Callable[[int], None]) -> None:
        self._target = target
        self._pause = FIRST_PAUSE_SECONDS
        self._next = float("-inf")
        self._started = 0.0
        self._process: SpawnProcess | None = None

    def keep_alive(self) -> None:
        """Starts the worker if it does not run; call it once per tick."""
        if self._process is not None and not self._process.is_alive():
            self._note_end(self._process)
        if self._process is None and time.monotonic() >= self._next:
            context = multiprocessing.get_context("spawn")
            self._process = context.Process(target=self._target, args=(os.getpid(),), name="studio worker")
            self._process.start()
            self._started = time.monotonic()

    def _note_end(self, process: SpawnProcess) -> None:
        log.warning("studio worker replaced", pid=process.pid, status=process.exitcode)
        is_steady = time.monotonic() - self._started >= STEADY_SECONDS
        self._pause = FIRST_PAUSE_SECONDS if is_steady else min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        self._next = time.monotonic() + (0.0 if is_steady else self._pause)
        process.close()
        self._process = None

    def terminate(self) -> None:
        """Tells the worker to give its job back."""
        if self._process is not None:
            self._process.terminate()

    def end(self, seconds: float) -> None:
        """Waits for the end, and kills the worker after `seconds`: its job is taken over later."""
        if self._process is not None:
            self._process.join(max(0.0, seconds))
            self._process.kill()


class Supervisor:
    """A context in which `count` processes run `target`, which is given the id of this process."""

    def __init__(self, target: Callable[[int], None], count: int) -> None:
        self._places = [_Place(target) for _ in range(count)]
        self._thread = PeriodicThread("studio workers", self._tick, TICK_SECONDS)

    def _tick(self) -> None:
        for place in self._places:
            place.keep_alive()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._thread.stop()
        ends = time.monotonic() + STOP_SECONDS
        for place in self._places:
            place.terminate()
        for place in self._places:
            place.end(ends - time.monotonic())
