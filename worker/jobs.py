"""One job or segment from its take to its end: policy, engine, audio store, row; and what happens if a part fails.

    refused     the policy or the engine will not do it        failed      the engine broke
    retried     a disk or the store has failed, three times    given back  the worker is told to stop
    lost        cancelled, or taken over: nothing is written

The audio is in the store before a row names it, and the row is written in the transaction that ends the job. What is
said of a job here holds for a segment of a focus session too; worker.tasks has what differs.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import structlog

from models.audio import StoredAudio
from models.audio_store import AudioStore
from models.exceptions import AudioUnavailable, Unavailable
from models.focus_work import SegmentWork
from models.generation_work import Lost, Work
from studio.engines.base import Cancelled, EngineFailed, EngineRefused
from studio.engines.command_catalog import Program
from worker import tasks, tracks
from worker.policy import Policy
from worker.production import Made
from worker.tasks import Task
from worker.tracing import NoTracing, Tracing

R = TypeVar("R")
PROGRESS_SECONDS = 1.0
# A piece that is made is worth waiting for a store or a database that comes back.
STORE_SECONDS = 60.0
WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 5.0
BROKEN = "The engine failed."
NOT_STORED = "The audio could not be stored."
log = structlog.get_logger("worker.jobs")


class Stopping(Cancelled):
    """The worker is told to stop."""


@dataclass(slots=True)
class Counts:
    """What this worker has done since its start."""

    pieces: int = 0
    seconds: float = 0.0
    failures: int = 0
    refusals: int = 0


@dataclass(slots=True)
class Runner:
    """Runs jobs, one after the other. `wait` sleeps, and returns at once when the worker is told to stop."""

    store: AudioStore
    policy: Callable[[], Policy]
    programs: Mapping[str, Program]
    spool: Path
    is_stopping: Callable[[], bool]
    wait: Callable[[float], None]
    counts: Counts = field(default_factory=Counts)
    tracing: Tracing = field(default_factory=NoTracing)

    def run(self, work: Work | SegmentWork) -> None:
        """Runs a job to its end. Raises Unavailable only if the worker is told to stop while the database is away."""
        started, task = time.monotonic(), tasks.of(work)
        try:
            with self.tracing.job(task):
                self._attempt(task)
        finally:
            _empty(self.spool)
            log.debug("job ended", job=task.id, seconds=round(time.monotonic() - started, 3))

    def _attempt(self, task: Task) -> None:
        try:
            self._run(task)
        except Lost:
            log.info("job lost, cancelled or taken over", job=task.id)
            self.tracing.end("lost")
        except Stopping:
            self._end(task.give_back)
            log.info("job given back", job=task.id)
            self.tracing.end("given back")

    def _run(self, task: Task) -> None:
        try:
            self._make(task)
        except EngineRefused as reason:
            self._refuse(task, str(reason))
        except EngineFailed as failure:
            self._fail(task, str(failure), failure.detail)
        except (OSError, MemoryError, AudioUnavailable) as problem:
            log.warning("job failed, another attempt follows", job=task.id, attempt=task.attempt, reason=repr(problem))
            self._end(lambda: task.retry(NOT_STORED))
            self.tracing.end("retried")
        except (Cancelled, Lost, Unavailable):
            raise
        except Exception as fault:
            log.error("engine failed", job=task.id, engine=task.engine, exc_info=fault)
            self._fail(task, BROKEN, repr(fault))

    def _make(self, task: Task) -> None:
        reason = task.refusal(self.policy())
        if reason is not None:
            raise EngineRefused(reason)
        with self.tracing.step("render"):
            made = task.make(self.programs, self.spool, Reporter(task, self.is_stopping))
        with self.tracing.step("store"):
            self._deliver(task, made)

    def _deliver(self, task: Task, made: Made) -> None:
        """Writes the audio, then the row and the end of the job; removes the audio of a job that is lost."""
        stored = self._stored(task, made)
        try:
            self._end(lambda: task.succeed(made, stored))
        except Lost:
            # A commit whose answer was lost is repeated, and finds the job ended by itself.
            if not self._end(lambda: task.has_made(stored)):
                tracks.discard(self.store, stored)
                raise
        self.counts.pieces += 1
        self.counts.seconds += made.duration_ms / 1000
        self.tracing.end("succeeded")
        log.info("piece made", job=task.id, audio=task.audio_id, engine=task.engine, seconds=made.duration_ms / 1000)

    def _stored(self, task: Task, made: Made) -> StoredAudio:
        """Tries for a minute. Raises AudioUnavailable, OSError, Lost, Stopping."""
        ends, pause = time.monotonic() + STORE_SECONDS, WAIT_SECONDS
        while True:
            try:
                return self.store.write_file(task.organization_id, task.audio_id, made.media_type, made.path)
            except (AudioUnavailable, OSError) as problem:
                if time.monotonic() + pause > ends:
                    raise
                log.warning("audio not stored, next try soon", job=task.id, reason=repr(problem))
            self._pause(task, pause)
            pause = min(2 * pause, LONGEST_WAIT_SECONDS)

    def _pause(self, task: Task, seconds: float) -> None:
        self.wait(seconds)
        if self.is_stopping():
            raise Stopping
        try:
            task.require_held()
        except Unavailable:
            return

    def _refuse(self, task: Task, reason: str) -> None:
        self._end(lambda: task.refuse(reason))
        self.counts.refusals += 1
        self.tracing.end("refused")
        log.info("job refused", job=task.id, reason=reason)

    def _fail(self, task: Task, message: str, detail: str) -> None:
        self._end(lambda: task.fail(message))
        self.counts.failures += 1
        self.tracing.end("failed")
        log.warning("job failed", job=task.id, engine=task.engine, message=message, detail=detail)

    def _end(self, write: Callable[[], R]) -> R:
        """Writes the end of a job, once the database is there. Raises Lost, Unavailable if the worker shall stop."""
        pause = WAIT_SECONDS
        while True:
            try:
                return write()
            except Unavailable as reason:
                if self.is_stopping():
                    raise
                log.warning("database unavailable, next try soon", reason=reason.system_message)
            self.wait(pause)
            pause = min(2 * pause, LONGEST_WAIT_SECONDS)


class Reporter:
    """The progress callback of a job: writes it once a second, and notices that the job or the worker shall end."""

    def __init__(self, task: Task, is_stopping: Callable[[], bool]) -> None:
        self._task = task
        self._is_stopping = is_stopping
        self._percent = 0
        self._next = time.monotonic()

    def __call__(self, share: float) -> None:
        """Takes the finished share, 0 to 1. Raises Stopping and Lost."""
        if self._is_stopping():
            raise Stopping
        if time.monotonic() < self._next:
            return
        percent = min(99, int(100 * share))
        try:
            if percent > self._percent:
                self._task.report_progress(percent)
                self._percent = percent
            else:
                self._task.require_held()
        except Unavailable:
            pass  # the end of the job is written when the database is back
        self._next = time.monotonic() + PROGRESS_SECONDS


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
