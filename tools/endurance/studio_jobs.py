"""Jobs under faults and under load: workers killed ten times, and many jobs of many callers on several workers."""

from __future__ import annotations

import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import Progress

from models.generation_work import DIED
from tools.endurance.report import Figure, at_most, exactly
from tools.testing import databases, jobs
from tools.testing.studio_workers import Studio

KILLS, PER_KILL = 10, 4
CALLERS, JOBS = 20, 200
WORKERS = (1, 2, 4)
TAKEOVER_SECONDS = 20.0
SECONDS = 1800.0


def kills(kind: str, folder: Path, progress: Progress) -> Iterator[Figure]:
    """kill -9 of a worker at work, ten times, with another one beside it; every job must end, once."""
    with _studio(kind, folder) as studio:
        longest, asked = 0.0, PER_KILL * KILLS
        studio.start(2)
        for _ in progress.track(range(KILLS), description=f"{kind}: kills of a worker"):
            longest = max(longest, _kill_one(studio))
        studio.await_(lambda: jobs.statuses().keys() <= {"succeeded", "failed"}, SECONDS)
        dead = _dead(studio)
        yield at_most(f"jobs that have seen three of {KILLS} kills, and failed", kind, dead, KILLS // 3)
        yield exactly(f"other jobs that became one track, of {asked}", kind, _made(studio), asked - dead)
        yield at_most("kill -9 until another worker has the job", kind, longest, TAKEOVER_SECONDS, " s")
        yield _consistency(kind, studio, left_over=KILLS)


def _kill_one(studio: Studio) -> float:
    """Kills a worker at work, and starts another; returns the seconds until the job at hand is taken again."""
    with studio.database.use():
        for number in range(PER_KILL):
            jobs.ask(f"user_{number}", engine="second", cents_per_minute=600)
    studio.await_(_running, SECONDS)
    time.sleep(random.uniform(0, 0.8))
    with studio.database.use():
        before = _running()
    studio.kill(studio.processes[0])
    started = time.monotonic()
    studio.start(1)
    studio.await_(partial(_has_moved, before), SECONDS)
    return time.monotonic() - started


def _running() -> dict[str, tuple[str, int]]:
    """Worker and attempt of each running job."""
    return {job.id: (job.worker_id, job.attempt) for job in jobs.rows("generations") if job.status == "running"}


def _has_moved(before: dict[str, tuple[str, int]]) -> bool:
    """Whether each of these jobs has ended, or was taken again."""
    now = {job.id: job for job in jobs.rows("generations")}
    ended = ("succeeded", "failed")
    return all(now[name].status in ended or now[name].attempt > attempt for name, (_, attempt) in before.items())


def load(kind: str, folder: Path, progress: Progress) -> Iterator[Figure]:
    """200 jobs of 20 callers, one of whom has many and some of whom have one, on 1, 2 and 4 workers."""
    for count in progress.track(WORKERS if kind == "postgresql" else (1,), description=f"{kind}: 200 jobs"):
        with _studio(kind, folder) as studio:
            studio.start(count)
            studio.await_(partial(_are_there, count))
            _ask_all(studio)
            started = time.monotonic()
            studio.await_statuses(SECONDS, succeeded=JOBS)
            minutes = (time.monotonic() - started) / 60
            label = f"{count} worker{'s'[: count - 1]}"
            yield Figure(f"pieces a minute of a program, {label}", kind, f"{JOBS / minutes:.0f}", "", True)
            yield exactly(f"jobs that became one track, of {JOBS}, {label}", kind, _made(studio), JOBS)
            yield at_most(f"turns before a caller with one job, {label}", kind, _longest_wait(studio), CALLERS + count)
            yield _consistency(kind, studio)


def _are_there(count: int) -> bool:
    return len(jobs.rows("workers")) == count


def _ask_all(studio: Studio) -> None:
    """Ten callers with one job each come after ten with nineteen."""
    greedy, modest = CALLERS // 2, CALLERS // 2
    each = (JOBS - modest) // greedy
    with studio.database.use():
        for number in range(greedy * each):
            jobs.ask(f"greedy_{number % greedy}", engine="cat", cents_per_minute=600)
        for number in range(modest):
            jobs.ask(f"modest_{number}", engine="cat", cents_per_minute=600)


def _longest_wait(studio: Studio) -> int:
    """How many jobs were begun after the one job of a caller was asked for, and before it: the most of all callers."""
    with studio.database.use():
        rows = jobs.rows("generations")
    waits = [
        sum(job.created_at < other.started_at < job.started_at for other in rows)
        for job in rows
        if job.user_id.startswith("modest")
    ]
    return int(max(waits))


def _dead(studio: Studio) -> int:
    """The number of jobs that failed because workers died three times; no job may fail for another reason."""
    with studio.database.use():
        failed = [job for job in jobs.rows("generations") if job.status == "failed"]
    assert all((job.error_message, job.attempt) == (DIED, 3) for job in failed), failed
    return len(failed)


def _made(studio: Studio) -> int:
    """The number of jobs with exactly one track, if no track has another job."""
    with studio.database.use():
        tracks = [track.id for track in jobs.rows("tracks")]
        by_track: dict[str, list[Any]] = defaultdict(list)
        for job in jobs.rows("generations"):
            if job.status != "succeeded":
                continue
            by_track[job.result_track_id].append(job)
    return len(tracks) if sorted(by_track) == sorted(tracks) and all(len(one) == 1 for one in by_track.values()) else 0


def _consistency(kind: str, studio: Studio, left_over: int = 0) -> Figure:
    """Counters, money, tracks and objects in the store fit together."""
    for process in list(studio.processes):
        studio.stop(process)
    try:
        with studio.database.use():
            jobs.require_consistent(studio.objects(), left_over=left_over)
    except AssertionError as problem:
        return Figure("tracks, audio, money and counters", kind, str(problem)[:60], "fit together", False)
    return Figure("tracks, audio, money and counters", kind, "fit together", "fit together", True)


@contextmanager
def _studio(kind: str, folder: Path) -> Iterator[Studio]:
    own = Path(tempfile.mkdtemp(dir=folder))
    with databases.migrated(kind, own) as url:
        studio = Studio(url, own)
        try:
            yield studio
        finally:
            studio.close()
