"""Reference model of jobs in plain Python, and the worker that a test drives, step by step, on both sides."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete

from models import generation_work, generations, spending, tracks
from models.access import Caller, require_membership
from models.base import new_id, now
from models.db import connection
from models.generation_tables import generations as table
from models.generation_work import DIED, MAX_ATTEMPTS, Lost, Work
from models.generations import Job, JobLimits, Order
from models.idempotency import require_same_request

if TYPE_CHECKING:
    from tools.testing.reference_model import Rows

STEPS = ("take", "take", "take", "progress", "succeed", "succeed", "fail", "refuse", "give_back", "retry", "die")
WORKER, PERCENT = "worker_machine", 40
MESSAGE, REASON = "The engine failed.", "The policy refuses this."
ACTIVE = ("queued", "running")
DELETE_JOBS = delete(table).where(
    table.c.organization_id == bindparam("organization"), table.c.user_id == bindparam("user")
)


class Jobs:
    """The functions of models/generations.py that handlers call, with the same exceptions, and a worker's steps."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def of_key(self, caller: Caller, organization_id: str, key: str | None, fingerprint: bytes) -> Job | None:
        require_membership(caller, organization_id)
        for job in self._own(caller, organization_id):
            if key is not None and job.idempotency_key == key:
                require_same_request(job.fingerprint, fingerprint)
                return job
        return None

    def create(self, caller: Caller, organization_id: str, order: Order, limits: JobLimits) -> tuple[Job, bool]:
        seed = order.seed_track_id
        if seed is not None and not self._rows.is_audible(caller, organization_id, seed):
            raise generations.seed_error()
        if sum(job.status in ACTIVE for job in self._own(caller, organization_id)) >= limits.max_active_jobs:
            raise spending.too_many(limits.max_active_jobs)
        own: dict[str, Any] = {"organization_id": organization_id, "id": new_id("mjob_"), "user_id": caller.user_id}
        new: dict[str, Any] = {"status": "queued", "progress": 0, "attempt": 0, "created_at": now()}
        fields: dict[str, Any] = dict.fromkeys(Job._fields) | order._asdict() | own | new
        made = Job(**fields | {"style_tags": json.dumps(list(order.style_tags))})
        self._rows.jobs[made.id] = made
        return made, True

    def get(self, caller: Caller, organization_id: str, job_id: str) -> Job:
        for job in self._own(caller, organization_id):
            if job.id == job_id:
                return job
        raise generations.not_found(job_id)

    def list_page(self, caller: Caller, organization_id: str, status: str | None, limit: int, offset: int) -> list[Job]:
        require_membership(caller, organization_id)
        own = [job for job in self._own(caller, organization_id) if status in (None, job.status)]
        return sorted(own, key=lambda job: (job.created_at, job.id), reverse=True)[offset : offset + limit]

    def cancel(self, caller: Caller, organization_id: str, job_id: str) -> Job:
        job = self.get(caller, organization_id, job_id)
        return self._put(job, status="cancelled") if job.status in ACTIVE else job

    def advance(self, job_id: str, step: str) -> str | None:
        """A step of the worker; the id of the track that it makes, or None."""
        job = self._rows.jobs[job_id]
        if step == "take" and job.status == "queued":
            self._put(job, status="running", attempt=job.attempt + 1)
        elif job.status == "running":
            return self._end(job, step)
        return None

    def _end(self, job: Job, step: str) -> str | None:
        if step == "progress":
            self._put(job, progress=max(job.progress, PERCENT))
        elif step == "succeed":
            track = self._rows.add_track(job.organization_id, job.user_id, title=job.title, engine=job.engine)
            self._put(job, status="succeeded", progress=100, result_track_id=track)
            return track
        elif step == "give_back":
            self._put(job, status="queued", attempt=job.attempt - 1)
        elif step in ("retry", "die") and job.attempt < MAX_ATTEMPTS:
            self._put(job, status="queued")
        elif step in ("fail", "retry", "die"):
            self._put(job, status="failed", error_message=DIED if step == "die" else MESSAGE)
        elif step == "refuse":
            self._put(job, status="refused", refusal_reason=REASON)
        return None

    def _own(self, caller: Caller, organization_id: str) -> list[Job]:
        if organization_id not in caller.organizations:
            return []
        whose = (organization_id, caller.user_id)
        return [job for job in self._rows.jobs.values() if (job.organization_id, job.user_id) == whose]

    def _put(self, job: Job, **changes: object) -> Job:
        self._rows.jobs[job.id] = changed = job._replace(**changes)  # type: ignore[arg-type]
        return changed


def advance(organization_id: str, user_id: str, job_id: str, step: str) -> str | None:
    """The same step on the current database; a job that is not this worker's stays as it is."""
    if step == "take":
        generation_work.take(organization_id, job_id, user_id, WORKER)
        return None
    for work in generation_work.held_by(WORKER):
        if work.id == job_id:
            with suppress(Lost):
                return _end(work, step)
    return None


def forget(organization_id: str, user_id: str) -> None:
    """Cancels and deletes the jobs of a user."""
    generations.cancel_all(organization_id, user_id)
    connection.execute(DELETE_JOBS, organization=organization_id, user=user_id)


def _end(work: Work, step: str) -> str | None:
    if step == "succeed":
        return _succeed(work)
    ends = {
        "progress": lambda: generation_work.report_progress(work, PERCENT),
        "give_back": lambda: generation_work.give_back(work),
        "retry": lambda: generation_work.retry(work, MESSAGE),
        "die": lambda: generation_work.retry(work),
        "fail": lambda: generation_work.fail(work, MESSAGE),
        "refuse": lambda: generation_work.refuse(work, REASON),
    }
    ends[step]()
    return None


def _succeed(work: Work) -> str:
    made: list[str] = []

    def add_track() -> str:
        added = tracks.add(work.organization_id, work.user_id, title=work.title, engine=work.engine)
        assert added is not None
        made.append(added.id)
        return added.id

    generation_work.succeed(work, add_track)
    return made[0]
