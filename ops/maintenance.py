"""What is done once an hour beside the serving of requests: old answers are forgotten, expired keys told to the log."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from models import idempotency, keys
from models.exceptions import Unavailable

HOUR = 3600.0
SERVER = keys.Actor("server", "serve")
log = structlog.get_logger("ops.maintenance")


@contextmanager
def hourly(interval_seconds: float = HOUR) -> Iterator[None]:
    """Sweep now and then once an interval, in a thread of its own, until the block ends."""
    stopped = threading.Event()
    sweeper = threading.Thread(target=_sweep, args=(stopped, interval_seconds), name="sweeper", daemon=True)
    sweeper.start()
    try:
        yield
    finally:
        stopped.set()
        sweeper.join(1.0)


def _sweep(stopped: threading.Event, interval_seconds: float) -> None:
    while not stopped.is_set():
        try:
            if forgotten := idempotency.delete_expired():
                log.info("old answers forgotten", answers=forgotten)
            if expired := keys.log_expired(SERVER):
                log.info("keys have expired", keys=expired)
        except Unavailable as reason:
            log.warning("hourly work not done", reason=reason.system_message)
        stopped.wait(interval_seconds)
