"""A daemon thread that repeats its work; an exception costs one round and never the thread."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

import structlog

STOP_SECONDS = 0.5
log = structlog.get_logger("web.periodic_thread")


class PeriodicThread:
    """Calls `work` after `delay` seconds and then `seconds` after each call, until it is stopped.

    An exception is logged when it first occurs, and again only after a call that succeeded or failed differently.
    """

    def __init__(self, name: str, work: Callable[[], object], seconds: float, delay: float = 0.0) -> None:
        self._work = work
        self._seconds = seconds
        self._delay = delay
        self._stopped = Event()
        self._failure = ""
        self._once_more = False
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self, *, once_more: bool = False) -> None:
        """Ends the thread after its current call, and one more if `once_more`; waits for that 0.5 s at most."""
        self._once_more = once_more
        self._stopped.set()
        self._thread.join(STOP_SECONDS)

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_failure: object) -> None:
        self.stop()

    def _run(self) -> None:
        self._stopped.wait(self._delay)
        while not self._stopped.is_set():
            self._attempt()
            self._stopped.wait(self._seconds)
        if self._once_more:
            self._attempt()

    def _attempt(self) -> None:
        try:
            self._work()
        except Exception as failure:
            if repr(failure) != self._failure:
                bug = None if isinstance(failure, OSError) else failure
                log.error("background thread failed", thread=self._thread.name, reason=repr(failure), exc_info=bug)
            self._failure = repr(failure)
        else:
            self._failure = ""
