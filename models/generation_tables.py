"""Tables of the jobs that make music, of what they cost, and of the workers.

The row of a job is the only truth about it: a request writes it, a worker takes it. Money is in hundredths of a Swiss
franc. Decision 27.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from models.base import BIGINT, DISTRIBUTED, REFERENCE, Bool, UTCDateTime, metadata

# `attempt` counts the takes: a worker writes only while its attempt is the current one.
generations = Table(
    "generations",
    metadata,
    Column("organization_id", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("progress", Integer, nullable=False),
    Column("engine", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("duration_seconds", Integer, nullable=False),
    Column("instrumental", Bool, nullable=False),
    Column("lyrics", Text),
    Column("seed_track_id", Text),
    Column("style_tags", Text, nullable=False),
    Column("title", Text),
    Column("seed", BIGINT, nullable=False),
    Column("idempotency_key", Text),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("cost_cents", BIGINT, nullable=False),
    Column("result_track_id", Text),
    Column("error_message", Text),
    Column("refusal_reason", Text),
    Column("attempt", Integer, nullable=False),
    Column("worker_id", Text),
    Column("created_at", UTCDateTime, nullable=False),
    Column("started_at", UTCDateTime),
    Column("finished_at", UTCDateTime),
    Column("trace_context", Text),  # `traceparent` of the request (W3C Trace Context)
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "user_id", "idempotency_key"),
    ForeignKeyConstraint(["organization_id", "user_id"], ["memberships.organization_id", "memberships.user_id"]),
    ForeignKeyConstraint(
        ["organization_id", "seed_track_id"], ["tracks.organization_id", "tracks.id"], name="fk_generations_seed_track"
    ),
    ForeignKeyConstraint(
        ["organization_id", "result_track_id"],
        ["tracks.organization_id", "tracks.id"],
        name="fk_generations_result_track",
    ),
    CheckConstraint(
        "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'refused')", name="status_known"
    ),
    CheckConstraint("progress BETWEEN 0 AND 100", name="progress_range"),
    CheckConstraint("length(engine) BETWEEN 1 AND 64", name="engine_length"),
    CheckConstraint("length(mode) BETWEEN 1 AND 64", name="mode_length"),
    CheckConstraint("length(prompt) BETWEEN 1 AND 2000", name="prompt_length"),
    CheckConstraint("duration_seconds BETWEEN 1 AND 3600", name="duration_seconds_range"),
    CheckConstraint("length(lyrics) <= 5000", name="lyrics_length"),
    CheckConstraint("length(style_tags) <= 16384", name="style_tags_length"),
    CheckConstraint("length(title) BETWEEN 1 AND 200", name="title_length"),
    CheckConstraint("length(idempotency_key) BETWEEN 1 AND 255", name="idempotency_key_length"),
    CheckConstraint("length(fingerprint) = 32", name="fingerprint_length"),
    CheckConstraint("cost_cents >= 0", name="cost_cents_range"),
    CheckConstraint("length(error_message) BETWEEN 1 AND 256", name="error_message_length"),
    CheckConstraint("length(refusal_reason) BETWEEN 1 AND 256", name="refusal_reason_length"),
    CheckConstraint("attempt >= 0", name="attempt_range"),
    CheckConstraint("length(trace_context) BETWEEN 55 AND 255", name="trace_context_length"),
    sqlite_strict=True,
    info=DISTRIBUTED,
)

Index(
    "ix_generations_newest_first",
    generations.c.organization_id,
    generations.c.user_id,
    generations.c.created_at.desc(),
    generations.c.id.desc(),
)

# The worker's queue: finished jobs are not in it, so it stays small.
Index(
    "ix_generations_active",
    generations.c.created_at,
    generations.c.organization_id,
    generations.c.id,
    sqlite_where=generations.c.status.in_(("queued", "running")),
)

# For the maintenance, which deletes what ended long ago.
Index("ix_generations_finished_at", generations.c.finished_at)

# A job of another user is not in the place where it is looked for, as one that never was.
Index("ix_generations_owner", generations.c.user_id, generations.c.id, generations.c.organization_id, unique=True)

# How many jobs of a user are queued or running: changed in the transaction that changes the status of the job.
active_jobs = Table(
    "active_jobs",
    metadata,
    Column("organization_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("job_count", Integer, nullable=False),
    Column("taken_at", UTCDateTime),  # when a worker last took a job of the user: callers take turns
    PrimaryKeyConstraint("organization_id", "user_id"),
    ForeignKeyConstraint(["organization_id", "user_id"], ["memberships.organization_id", "memberships.user_id"]),
    CheckConstraint("job_count >= 0", name="job_count_range"),
    sqlite_strict=True,
    info=DISTRIBUTED,
)

# What an organization has spent or reserved in a calendar window in UTC. One row for each window that has begun.
spend_windows = Table(
    "spend_windows",
    metadata,
    Column("organization_id", Text, nullable=False),
    Column("span", Text, nullable=False),
    Column("window_start", UTCDateTime, nullable=False),
    Column("spent_cents", BIGINT, nullable=False),
    PrimaryKeyConstraint("organization_id", "span", "window_start"),
    CheckConstraint("span IN ('day', 'week', 'month')", name="span_known"),
    CheckConstraint("spent_cents >= 0", name="spent_cents_range"),
    sqlite_strict=True,
    info=DISTRIBUTED,
)

spend_limits = Table(
    "spend_limits",
    metadata,
    Column("organization_id", Text, nullable=False),
    Column("span", Text, nullable=False),
    Column("limit_cents", BIGINT, nullable=False),
    PrimaryKeyConstraint("organization_id", "span"),
    CheckConstraint("span IN ('day', 'week', 'month')", name="span_known"),
    CheckConstraint("limit_cents >= 0", name="limit_cents_range"),
    sqlite_strict=True,
    info=DISTRIBUTED,
)

# One row for each engine that an operator has changed.
engine_settings = Table(
    "engine_settings",
    metadata,
    Column("engine_key", Text, nullable=False),
    Column("enabled", Bool, nullable=False),
    Column("cents_per_minute", BIGINT, nullable=False),
    PrimaryKeyConstraint("engine_key"),
    CheckConstraint("length(engine_key) BETWEEN 1 AND 64", name="engine_key_length"),
    CheckConstraint("cents_per_minute BETWEEN 0 AND 100000000", name="cents_per_minute_range"),
    sqlite_strict=True,
    info=REFERENCE,  # the prices and switches of engines hold for every organization
)

# Processes that make music, each with a sign of life.
workers = Table(
    "workers",
    metadata,
    Column("id", Text, nullable=False),
    Column("started_at", UTCDateTime, nullable=False),
    Column("heartbeat_at", UTCDateTime, nullable=False),
    PrimaryKeyConstraint("id"),
    CheckConstraint("length(id) BETWEEN 1 AND 128", name="id_length"),
    sqlite_strict=True,
    info=REFERENCE,  # a worker makes music for every organization
)
