"""Keeps workers alive beside a server: starts them, replaces one that has ended, and stops them.

A worker that ends soon after its start is replaced later and later, so that one that cannot work costs nothing.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
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

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._pause = FIRST_PAUSE_SECONDS
        self._next = float("-inf")
        self._started = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def keep_alive(self) -> None:
        """Starts the worker if it does not run; call it once per tick."""
        if self._process is not None and self._process.poll() is not None:
            self._note_end(self._process)
        if self._process is None and time.monotonic() >= self._next:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)  # noqa: S603 - our own program
            self._started = time.monotonic()

    def _note_end(self, process: subprocess.Popen[bytes]) -> None:
        log.warning("studio worker replaced", pid=process.pid, status=process.returncode)
        is_steady = time.monotonic() - self._started >= STEADY_SECONDS
        self._pause = FIRST_PAUSE_SECONDS if is_steady else min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        self._next = time.monotonic() + (0.0 if is_steady else self._pause)
        self._process = None

    def renew(self) -> None:
        """Tells the worker to read the operator's files again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def terminate(self) -> None:
        """Tells the worker to give its job back."""
        if self._process is not None:
            self._process.terminate()

    def end(self, seconds: float) -> None:
        """Waits for the end, and kills the worker after `seconds`: its job is taken over later."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(max(0.01, seconds))
            self._process.kill()
            self._process.wait()


class Supervisor:
    """A context in which `count` processes run `command`."""

    def __init__(self, command: Sequence[str], count: int) -> None:
        self._places = [_Place(command) for _ in range(count)]
        self._thread = PeriodicThread("studio workers", self._tick, TICK_SECONDS)

    def _tick(self) -> None:
        for place in self._places:
            place.keep_alive()

    def renew(self) -> None:
        """Tells all workers to read the operator's files again."""
        for place in self._places:
            place.renew()

    def __enter__(self) -> Callable[[], None]:
        """Starts the workers; returns what renews them."""
        self._thread.start()
        return self.renew

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._thread.stop()
        ends = time.monotonic() + STOP_SECONDS
        for place in self._places:
            place.terminate()
        for place in self._places:
            place.end(ends - time.monotonic())
