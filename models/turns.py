"""What a worker does next: jobs and segments of focus sessions wait in one line, in which callers take turns."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from models import focus_work, generation_work
from models.base import now
from models.focus_work import SegmentWork
from models.generation_work import Lost, Work


class _Waiting(NamedTuple):
    """What may be taken; `taken_at` is when its caller last had a turn."""

    taken_at: datetime | None
    take: Callable[[str], Work | SegmentWork | None]


def take(worker_id: str) -> Work | SegmentWork | None:
    """Takes what is next; None if nothing waits. The caller whose last turn is the longest ago comes first.

    Of one caller a segment comes before a job: somebody listens to it.
    """
    moment = now()
    for one in sorted([*_segments(moment), *_jobs()], key=lambda each: _turn(each.taken_at, moment)):
        work = one.take(worker_id)
        if work is not None:
            return work
    return None


def take_over(worker_id: str) -> list[Work | SegmentWork]:
    """Lets others do what a dead worker had; what has seen three deaths ends instead. Returns what it had."""
    jobs, segments = generation_work.held_by(worker_id), focus_work.held_by(worker_id)
    for job in jobs:
        with suppress(Lost):  # another worker was faster, or the caller has cancelled it
            generation_work.retry(job)
    for segment in segments:
        with suppress(Lost):
            focus_work.retry(segment)
    return [*jobs, *segments]


def holders() -> set[str]:
    """The ids of the workers that have a job or a segment."""
    return generation_work.holders() | focus_work.holders()


def _turn(taken_at: datetime | None, moment: datetime) -> tuple[bool, datetime]:
    """A turn in the future was before the clock was set back, and would keep its caller waiting until then."""
    return taken_at is not None and taken_at <= moment, taken_at or moment


def _jobs() -> list[_Waiting]:
    def waiting(organization_id: str, job_id: str, user_id: str, taken_at: datetime | None) -> _Waiting:
        return _Waiting(taken_at, lambda worker: generation_work.take(organization_id, job_id, user_id, worker))

    return [waiting(row.organization_id, row.id, row.user_id, row.taken_at) for row in generation_work.waiting()]


def _segments(moment: datetime) -> list[_Waiting]:
    def waiting(organization_id: str, session_id: str, taken_at: datetime | None) -> _Waiting:
        return _Waiting(taken_at, lambda worker: focus_work.take(organization_id, session_id, worker))

    return [waiting(row.organization_id, row.id, row.taken_at) for row in focus_work.waiting(moment)]
