"""Row type of the table `generations`, and the statements of requests on it; those of workers are elsewhere."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    Integer,
    Text,
    and_,
    bindparam,
    or_,
    select,
    update,
)

from models.generation_tables import generations
from models.upsert import insert_or_ignore


class Job(NamedTuple):
    """A request for a piece of music; `style_tags` is a JSON array, `cost_cents` in hundredths of a Swiss franc."""

    organization_id: str
    id: str
    user_id: str
    status: str
    progress: int
    engine: str
    mode: str
    prompt: str
    duration_seconds: int
    instrumental: bool
    lyrics: str | None
    seed_track_id: str | None
    style_tags: str
    title: str | None
    seed: int
    idempotency_key: str | None
    fingerprint: bytes
    cost_cents: int
    result_track_id: str | None
    error_message: str | None
    refusal_reason: str | None
    attempt: int
    worker_id: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    trace_context: str | None


ACTIVE = ("queued", "running")

COLUMNS = [generations.c[name] for name in Job._fields]

IS_OWN = and_(
    generations.c.organization_id == bindparam("organization"),
    generations.c.user_id == bindparam("user"),
)
IS_IT = and_(IS_OWN, generations.c.id == bindparam("job"))

# NULL means any status; PostgreSQL needs the type of the NULL.
_STATUS = bindparam("wanted", type_=Text())

LIST = (
    select(*COLUMNS)
    .where(IS_OWN, or_(_STATUS.is_(None), generations.c.status == _STATUS))
    .order_by(generations.c.created_at.desc(), generations.c.id.desc())
    .limit(bindparam("limit", type_=Integer()))
    .offset(bindparam("offset", type_=Integer()))
)

FIND = select(*COLUMNS).where(IS_IT)

FIND_BY_KEY = select(*COLUMNS).where(IS_OWN, generations.c.idempotency_key == bindparam("key"))

INSERT = insert_or_ignore(generations).values({name: bindparam(name) for name in Job._fields}).returning(*COLUMNS)

CANCEL = (
    update(generations)
    .where(IS_IT, generations.c.status.in_(ACTIVE))
    .values(status="cancelled", finished_at=bindparam("now"))
    .returning(*COLUMNS)
)

CANCEL_ALL = (
    update(generations)
    .where(IS_OWN, generations.c.status.in_(ACTIVE))
    .values(status="cancelled", finished_at=bindparam("now"))
    .returning(*COLUMNS)
)
