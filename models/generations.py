"""Jobs that make music, as their callers see them; models.generation_work is the worker's side."""

import json
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from models import generation_queue, money, spending, track_audio, tracks
from models.access import Caller, require_membership
from models.base import ID_TRIES, new_id, now
from models.db import connection
from models.exceptions import InvalidValue, NotFound, StorageFull
from models.generation_queries import CANCEL, CANCEL_ALL, FIND, FIND_BY_KEY, INSERT, LIST, Job
from models.idempotency import require_same_request

__all__ = [
    "Job",
    "JobLimits",
    "Order",
    "cancel",
    "cancel_all",
    "create",
    "get",
    "list_page",
    "not_found",
    "of_key",
    "seed_error",
]

# Signed 64 bits, and exact in JSON of every language.
_SEED_BITS = 53


class JobLimits(NamedTuple):
    """What a new job costs and must fit into.

    `audio_mib` is for the organization, and 0 is no limit; a second of music takes up to `bytes_per_second`.
    """

    cents_per_minute: int
    max_active_jobs: int
    audio_mib: int = 0
    bytes_per_second: int = 0


class Order(NamedTuple):
    """What a caller asks for. `fingerprint` is the SHA-256 digest of the request, without its key.

    `trace_context` is the `traceparent` of the request, if it is traced.
    """

    engine: str
    mode: str
    prompt: str
    duration_seconds: int
    instrumental: bool
    lyrics: str | None
    seed_track_id: str | None
    style_tags: Sequence[str]
    title: str | None
    idempotency_key: str | None
    fingerprint: bytes
    trace_context: str | None = None


def of_key(caller: Caller, organization_id: str, key: str | None, fingerprint: bytes) -> Job | None:
    """The job that the key was used for, or None.

    Raises AccessDenied, and IdempotencyKeyReused if it was used with another request.
    """
    require_membership(caller, organization_id)
    if key is None:
        return None
    row = connection.fetch_one(FIND_BY_KEY, organization=organization_id, user=caller.user_id, key=key)
    if row is None:
        return None
    require_same_request(row.fingerprint, fingerprint)
    return Job._make(row)


@connection.transaction
def create(caller: Caller, organization_id: str, order: Order, limits: JobLimits) -> tuple[Job, bool]:
    """A queued job with its cost reserved, and whether it is new; it is old if a parallel request used the key first.

    Raises AccessDenied, InvalidValue for a seed track that the caller may not hear, IdempotencyKeyReused, StorageFull,
    TooManyActiveJobs, SpendLimitExceeded.
    """
    require_membership(caller, organization_id)
    _require_seed_track(caller, organization_id, order.seed_track_id)
    job = _insert(caller, organization_id, order, money.cost(order.duration_seconds, limits.cents_per_minute))
    if job is None:
        found = of_key(caller, organization_id, order.idempotency_key, order.fingerprint)
        if found is None:
            raise RuntimeError("No free id was found for a job.")
        return found, False
    # After the row, whose key a parallel request waits for: so the two never reserve for one key.
    _require_room(organization_id, limits)
    spending.take_place(organization_id, caller.user_id, limits.max_active_jobs)
    spending.reserve(organization_id, job.cost_cents, job.created_at)
    return job, True


def get(caller: Caller, organization_id: str, job_id: str) -> Job:
    """One job of the caller. Raises NotFound."""
    row = connection.fetch_one(FIND, **_owner_binds(caller, organization_id, job_id))
    if row is None:
        raise not_found(job_id)
    return Job._make(row)


def list_page(caller: Caller, organization_id: str, status: str | None, limit: int, offset: int) -> list[Job]:
    """A page of the caller's jobs, newest first. Raises AccessDenied."""
    require_membership(caller, organization_id)
    own = {"organization": organization_id, "user": caller.user_id}
    rows = connection.fetch_all(LIST, **own, wanted=status, limit=limit, offset=offset)
    return [Job._make(row) for row in rows]


@connection.transaction
def cancel(caller: Caller, organization_id: str, job_id: str) -> Job:
    """The job, cancelled with its cost given back; one that has ended stays as it is. Raises NotFound."""
    row = connection.fetch_one(CANCEL, **_owner_binds(caller, organization_id, job_id), now=now())
    if row is None:
        return get(caller, organization_id, job_id)
    job = Job._make(row)
    spending.settle(organization_id, job.user_id, job.cost_cents, job.created_at, charged=False)
    return job


@connection.transaction
def cancel_all(organization_id: str, user_id: str) -> int:
    """Cancels the queued and running jobs of a user, and gives their cost back; returns their number."""
    rows = connection.fetch_all(CANCEL_ALL, organization=organization_id, user=user_id, now=now())
    for job in map(Job._make, rows):
        spending.settle(organization_id, user_id, job.cost_cents, job.created_at, charged=False)
    return len(rows)


def _require_seed_track(caller: Caller, organization_id: str, track_id: str | None) -> None:
    if track_id is not None and not tracks.is_audible(caller, organization_id, track_id):
        raise seed_error()


def seed_error() -> InvalidValue:
    """The error for a seed track that the caller may not hear."""
    return InvalidValue("/seed_track_id", "reference", "There is no such track in this organization.")


def _require_room(organization_id: str, limits: JobLimits) -> None:
    """Raises StorageFull unless all jobs that wait or are at work, and the new one, will fit beside what is stored."""
    expected = generation_queue.seconds(organization_id) * limits.bytes_per_second if limits.audio_mib else 0
    if not track_audio.has_room(organization_id, expected, limits.audio_mib):
        raise StorageFull("The audio of this organization has no room for the piece within its limit")


def _insert(caller: Caller, organization_id: str, order: Order, cost_cents: int) -> Job | None:
    """The new row; None if there is a job with its key."""
    fields = order._asdict() | {
        "organization_id": organization_id,
        "user_id": caller.user_id,
        "status": "queued",
        "progress": 0,
        "style_tags": json.dumps(list(order.style_tags), ensure_ascii=False),
        "seed": secrets.randbits(_SEED_BITS),
        "cost_cents": cost_cents,
        "attempt": 0,
        "created_at": now(),
    }
    for _ in range(ID_TRIES):
        row = connection.fetch_one(INSERT, **dict.fromkeys(Job._fields) | fields | {"id": new_id("mjob_")})
        if row is not None:
            return Job._make(row)
        if of_key(caller, organization_id, order.idempotency_key, order.fingerprint) is not None:
            break
    return None


def _owner_binds(caller: Caller, organization_id: str, job_id: str) -> dict[str, object]:
    """The binds that restrict a statement to the caller's rows. Raises NotFound outside the caller's organizations."""
    if organization_id not in caller.organizations:
        raise not_found(job_id)
    return {"organization": organization_id, "user": caller.user_id, "job": job_id}


def not_found(job_id: str) -> NotFound:
    """The error for a missing job and for one of another user: the same for both."""
    return NotFound("Job not found or not owned by caller", job_id=job_id)
