"""The end of the shutdown timeout: the process ends then, whatever its threads are waiting for.

Decision 66.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import NoReturn

import structlog

from web.telemetry import standard_streams

# The shortest timeout in effect: a process needs some time to end in order.
MIN_SECONDS = 1.0
# The last part of the timeout, in which the log is written.
LOG_SECONDS = 0.1
log = structlog.get_logger("web.server.shutdown_deadline")


class ShutdownDeadline:
    """Ends the process with status 0 `seconds` after `start`, unless it has ended by itself.

    `last_step` is called before that; it must not wait.
    """

    def __init__(self, seconds: float, last_step: Callable[[], object] = lambda: None) -> None:
        self.seconds = max(seconds, MIN_SECONDS)
        self._last_step = last_step
        self._started: SimpleQueue[float] = SimpleQueue()
        Thread(target=self._run, name="shutdown deadline", daemon=True).start()

    def start(self) -> None:
        """Starts the time, once. A signal handler may call this: SimpleQueue.put is reentrant, unlike Event.set."""
        self._started.put(time.monotonic())

    def _run(self) -> None:
        ends = self._started.get() + self.seconds
        time.sleep(max(0.0, ends - LOG_SECONDS - time.monotonic()))
        log.warning("shutdown timeout exceeded, the process ends now", seconds=self.seconds)
        self._last_step()
        standard_streams.stderr_writer().drain(max(0.0, ends - time.monotonic()))
        os._exit(0)


def end_process(status: int) -> NoReturn:
    """Ends the process after its threads and its atexit functions.

    The rest of what Python does at the end is left out: it frees every object, which takes a second on a busy machine,
    and meanwhile no thread can end the process.
    """
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    atexit._run_exitfuncs()  # noqa: SLF001 - os._exit alone would leave them out
    os._exit(status)
