"""Hourly maintenance of a server: deletes expired idempotency keys and logs expired API keys."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from models import idempotency, keys
from models.db.database import Database
from models.exceptions import Unavailable

HOUR = 3600.0
SERVER = keys.Actor("server", "serve")
log = structlog.get_logger("ops.maintenance")


@contextmanager
def hourly(database_url: str, interval_seconds: float = HOUR) -> Iterator[None]:
    """Runs the maintenance now and once per interval, in a thread with its own Database, until the context ends."""
    stopped = threading.Event()
    thread = threading.Thread(
        target=_run, args=(database_url, stopped, interval_seconds), name="maintenance", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(1.0)


def _run(database_url: str, stopped: threading.Event, interval_seconds: float) -> None:
    while not stopped.is_set():
        with Database(database_url, pool_size=1):
            _clean_up()
        stopped.wait(interval_seconds)


def _clean_up() -> None:
    try:
        if deleted := idempotency.delete_expired():
            log.info("expired idempotency keys deleted", count=deleted)
        if expired := keys.log_expired(SERVER):
            log.info("API keys expired", keys=expired)
    except Unavailable as reason:
        log.warning("maintenance failed, next try in an hour", reason=reason.system_message)
