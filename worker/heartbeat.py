"""Heartbeats of this worker, and what the heartbeats of the others say.

A worker is dead when its heartbeat has not changed for 15 s of this process's own clock, so clocks that differ or are
set prove nothing, and neither does a time in which this process or the database stood still.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import structlog

from models import turns, workers
from models.db.database import Database
from models.exceptions import Unavailable
from web.periodic_thread import PeriodicThread

BEAT_SECONDS = 5.0
DEAD_SECONDS = 15.0
WATCH_SECONDS = 1.0
# Two looks that lie further apart than this are no proof of what was between them.
GAP_SECONDS = 5.0
log = structlog.get_logger("worker.heartbeat")


class Watch:
    """Watches the workers that have a job."""

    def __init__(self, own_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._own_id = own_id
        self._clock = clock
        self._looked = float("-inf")
        self._seen: dict[str, tuple[datetime | None, float]] = {}

    def dead(self) -> list[str]:
        """The ids of those that have a job and no heartbeat for 15 s; call it about once a second."""
        beats = {name: workers.heartbeat(name) for name in turns.holders() - {self._own_id}}
        moment = self._clock()
        if moment - self._looked > GAP_SECONDS:
            self._seen.clear()
        self._looked = moment
        known = self._seen
        self._seen = {
            name: known[name] if name in known and known[name][0] == beat else (beat, moment)
            for name, beat in beats.items()
        }
        return [name for name, (_, since) in self._seen.items() if moment - since >= DEAD_SECONDS]


class Heartbeat:
    """A thread that writes the heartbeats, and takes over the jobs of dead workers."""

    def __init__(self, database: Database, worker_id: str) -> None:
        self._database = database
        self._worker_id = worker_id
        self._watch = Watch(worker_id)
        self._beaten = float("-inf")
        self.thread = PeriodicThread("heartbeat", self._tick, WATCH_SECONDS)

    def beat(self) -> None:
        """Writes a heartbeat now. Raises Unavailable."""
        workers.beat(self._worker_id)
        self._beaten = time.monotonic()

    def _tick(self) -> None:
        with self._database.use():
            try:
                if time.monotonic() - self._beaten >= BEAT_SECONDS - WATCH_SECONDS / 2:
                    self.beat()
                for name in self._watch.dead():
                    take_over(name)
            except Unavailable as reason:
                log.warning("heartbeat failed", reason=reason.system_message)


def take_over(worker_id: str) -> None:
    """Puts the job of a dead worker back into the queue, and forgets the worker. Raises Unavailable."""
    for work in turns.take_over(worker_id):
        log.warning("job taken over", job=work.id, attempt=work.attempt, worker=worker_id)
    workers.remove(worker_id)
