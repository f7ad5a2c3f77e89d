"""Hourly maintenance of a server: deletes expired idempotency keys and logs expired API keys."""

import structlog

from models import idempotency, keys
from models.db.database import Database
from models.exceptions import Unavailable

INTERVAL_SECONDS = 3600.0
SERVER = keys.Actor("server", "serve")
log = structlog.get_logger("ops.maintenance")


def maintain(database_url: str) -> None:
    """Does the maintenance once, with its own Database."""
    with Database(database_url, pool_size=1):
        _clean_up()


def _clean_up() -> None:
    try:
        if deleted := idempotency.delete_expired():
            log.info("expired idempotency keys deleted", count=deleted)
        if expired := keys.log_expired(SERVER):
            log.info("API keys expired", keys=expired)
    except Unavailable as reason:
        log.warning("maintenance failed, next try in an hour", reason=reason.system_message)
