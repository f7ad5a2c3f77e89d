"""The queues of jobs and segments, for the metrics, and the end of old jobs, for the maintenance."""

from collections.abc import Mapping

import structlog

from models import focus_queue, focus_retention, generation_queue
from models.db.database import Database
from models.exceptions import Unavailable
from models.generation_queue import QueueState

log = structlog.get_logger("ops.jobs")


def queue_states(database_url: str) -> Mapping[str, QueueState]:
    """The queues by what waits in them, read with its own Database; none if the database is unavailable."""
    with Database(database_url, pool_size=1):
        try:
            return {"job": generation_queue.state(), "segment": focus_queue.state()}
        except Unavailable:
            return {}


def delete_old(database_url: str, days: int) -> None:
    """Deletes the jobs and focus sessions that ended so many days ago, with its own Database."""
    with Database(database_url, pool_size=1) as database:
        try:
            database.require_schema()
            if deleted := generation_queue.delete_ended(days):
                log.info("old jobs deleted", count=deleted)
            if deleted := focus_retention.delete_ended(days):
                log.info("old focus sessions deleted", count=deleted)
        except Unavailable as reason:
            log.warning("old jobs not deleted, next try in an hour", reason=reason.system_message)
