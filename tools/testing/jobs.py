"""Jobs for tests: an organization with users, jobs that they ask for, and what the database says of them."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select

from models import generations, organizations, turns
from models.access import Caller
from models.base import metadata
from models.db import connection
from models.db.database import Database
from models.generation_work import Work
from models.generations import Job, JobLimits, Order

HOME = "org_jobs"
SCOPES = frozenset(("music:read", "music:write"))
MOST = 1000


def caller(user_id: str, organization_id: str = HOME) -> Caller:
    """A member of the organization."""
    organizations.join(organization_id, user_id)
    return Caller(user_id, frozenset((organization_id,)), SCOPES, None)


def ask(
    user_id: str,
    *,
    organization_id: str = HOME,
    engine: str = "studio",
    prompt: str = "rain on a window",
    seconds: int = 1,
    cents_per_minute: int = 0,
    **fields: Any,
) -> Job:
    """A new job of the user."""
    none = dict.fromkeys(("lyrics", "seed_track_id", "title", "idempotency_key"))
    values: dict[str, Any] = none | {"mode": "creation", "instrumental": True, "style_tags": ()} | fields
    order = Order(engine=engine, prompt=prompt, duration_seconds=seconds, fingerprint=secrets.token_bytes(32), **values)
    limits = JobLimits(cents_per_minute, MOST)
    made, is_new = generations.create(caller(user_id, organization_id), organization_id, order, limits)
    assert is_new
    return made


def take(worker_id: str) -> Work | None:
    """The next job of the queue, taken by a worker; no session is there whose segment could be next."""
    work = turns.take(worker_id)
    assert work is None or isinstance(work, Work)
    return work


def rows(table: str) -> Sequence[Any]:
    """All rows of a table."""
    return connection.fetch_all(select(metadata.tables[table]))


def row(job: Job) -> Any:
    """The row of a job as it is now."""
    found = [one for one in rows("generations") if (one.organization_id, one.id) == (job.organization_id, job.id)]
    return found[0]


def statuses() -> Counter[str]:
    """How many jobs have which status."""
    return Counter(one.status for one in rows("generations"))


def require_consistent(objects: Sequence[str], *, left_over: int = 0) -> None:
    """Asserts what must hold when no job is at work: counters, tracks, and `objects`, the names in the audio store.

    At most `left_over` objects have no track yet: audio is written first, and a worker may be killed then.
    """
    jobs, tracks = rows("generations"), rows("tracks")
    made = [job for job in jobs if job.status == "succeeded"]
    assert sorted(job.result_track_id for job in made) == sorted(track.id for track in tracks), "jobs and tracks differ"
    missing = {track.audio_name for track in tracks} - {*objects}
    assert not missing, f"tracks without audio: {missing}"
    assert len(objects) - len(tracks) <= left_over, "audio without a track"
    active = Counter((job.organization_id, job.user_id) for job in jobs if job.status in ("queued", "running"))
    counted = {(one.organization_id, one.user_id): one.job_count for one in rows("active_jobs") if one.job_count}
    assert counted == active, "the counters of active jobs are wrong"
    spent = Counter[str]()
    for job in jobs:
        if job.status in ("queued", "running", "succeeded"):
            spent[job.organization_id] += job.cost_cents
    for window in rows("spend_windows"):
        assert window.spent_cents == spent[window.organization_id], window


@contextmanager
def taking_turns(database: Database) -> Iterator[list[str]]:
    """Takes every job that waits inside the context; yields the users in the order in which they had a turn."""
    order: list[str] = []
    yield order
    with database.use():
        while (work := take("worker_of_the_test")) is not None:
            order.append(work.user_id)
