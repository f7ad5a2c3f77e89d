"""The process of a worker: one piece at a time, until a signal; then its job goes back into the queue.

start     hold an identity, beat, take back what a killed process of this identity left
loop      take the job whose caller has waited longest, run it; with an empty queue look again after half a second
SIGHUP    the operator's files are read again, before the next job
SIGTERM   the job at hand goes back, the row of the worker is removed
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

import structlog

from models import turns, workers
from models.audio_store import AudioStore
from models.db.database import Database
from models.exceptions import Unavailable
from models.focus_work import SegmentWork
from models.generation_work import Work
from web.periodic_thread import PeriodicThread
from web.server.signals import Terminal
from worker import identity, metrics
from worker.heartbeat import Heartbeat, take_over
from worker.identity import Identity
from worker.jobs import Counts, Runner
from worker.policy_file import PolicyFile
from worker.program_file import ProgramFile
from worker.tracing import NoTracing, Tracing

NICE = 10
POLL_SECONDS = 0.5
PARENT_SECONDS = 0.5
OUTAGE_SECONDS = 2.0
log = structlog.get_logger("worker.process")


@dataclass(frozen=True, slots=True)
class Options:
    """What a worker needs to know: where its folder is, the operator's files, and the free disk space that stays."""

    folder: Path
    programs: ProgramFile
    policy: PolicyFile
    min_free_bytes: int
    tracing: Tracing = field(default_factory=NoTracing)


class Worker:
    """Runs jobs until it is stopped."""

    def __init__(self, database: Database, store: AudioStore, options: Options, own: Identity) -> None:
        self._own = own
        self._options = options
        self._is_stopping = False
        self._is_full = False
        self._is_renewed = True
        self._terminal = Terminal()
        self._stop: SimpleQueue[int] = SimpleQueue()
        self._heartbeat = Heartbeat(database, own.id)
        self._runner = Runner(
            store, options.policy.current, options.programs.programs, own.spool, lambda: self._is_stopping, self._wait
        )
        self._runner.tracing = options.tracing

    @property
    def counts(self) -> Counts:
        """What it has done so far."""
        return self._runner.counts

    def stop(self, number: int = 0, _frame: object = None) -> None:
        """Signal handler: the job at hand is given back. SimpleQueue.put is reentrant."""
        self._is_stopping = True
        self._stop.put(number)

    def renew(self, number: int = 0, frame: object = None) -> None:
        """Signal handler: the files are read again before the next job; a terminal that was closed stops the worker."""
        if self._terminal.is_gone():
            self.stop(number, frame)
        else:
            self._is_renewed = False
            self._stop.put(number)  # ends a pause

    def run(self) -> None:
        """Works until `stop`, in the thread that calls it, with the current database."""
        self._insist(self._begin)
        with self._heartbeat.thread:
            log.info("worker started", worker=self._own.id)
            while not self._is_stopping:
                self._insist(self._work_once)
        try:
            workers.remove(self._own.id)
        except Unavailable:
            return  # nobody misses the heartbeat of a worker without a job

    def _begin(self) -> None:
        take_over(self._own.id)
        self._heartbeat.beat()

    def _read_again(self) -> None:
        self._is_renewed = True
        self._options.policy.read_again()
        self._options.programs.read_again()
        self._runner.programs = self._options.programs.programs
        log.info("worker renewed", worker=self._own.id)

    def _work_once(self) -> None:
        if not self._is_renewed:
            self._read_again()
        work = self._next()
        if work is None:
            self._wait(POLL_SECONDS)
        else:
            self._runner.run(work)

    def _next(self) -> Work | SegmentWork | None:
        """The next job or segment; None without one, or while the disk is too full to start a piece."""
        free = shutil.disk_usage(self._own.spool).free
        is_full = free < self._options.min_free_bytes
        if is_full and not self._is_full:
            log.error("no piece starts, the disk is full", folder=str(self._own.spool), free_mib=free // 2**20)
        self._is_full = is_full
        return None if is_full else turns.take(self._own.id)

    def _insist(self, work: Callable[[], None]) -> None:
        """Does it; while the database is away, waits and does it again."""
        while not self._is_stopping:
            try:
                return work()
            except Unavailable as reason:
                log.warning("database unavailable, next try soon", reason=reason.system_message)
            self._wait(OUTAGE_SECONDS)
        return None

    def _wait(self, seconds: float) -> None:
        """Sleeps; returns at once when the worker is told to stop."""
        if not self._is_stopping:
            try:
                self._stop.get(timeout=seconds)
            except Empty:
                return


def run(
    database: Database, store: AudioStore, options: Options, *, parent: int | None = None, metrics_dir: str = ""
) -> None:
    """Runs a worker in this process until SIGTERM or SIGINT, or until `parent` is no more its parent process.

    Raises OSError if the folder cannot be written.
    """
    os.nice(NICE)
    with database.use(), identity.held(options.folder) as own:
        worker = Worker(database, store, options, own)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, worker.stop)
        signal.signal(signal.SIGHUP, worker.renew)
        if parent is not None:
            PeriodicThread("parent check", partial(_stop_without_parent, parent), PARENT_SECONDS).start()
        with metrics.written(worker.counts, metrics_dir):
            worker.run()


def _stop_without_parent(parent: int) -> None:
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
