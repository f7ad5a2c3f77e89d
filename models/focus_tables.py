"""Tables of the focus sessions and their segments.

The row of a session is the queue of its segments: a worker takes the session, makes the segment `next_index`, and gives
it back. The row of a segment is its charge from the moment it is begun, and names its audio once that is made.
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
    and_,
)

from models.base import BIGINT, DISTRIBUTED, UTCDateTime, metadata

# `due_at` is when the next segment may be begun, `seen_at` the last sign of life. Without a worker nobody makes a
# segment. `attempt` counts the takes of one segment. `purged_at`: the audio of an ended session is forgotten.
focus_sessions = Table(
    "focus_sessions",
    metadata,
    Column("organization_id", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("goal", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("custom_prompt", Text),
    Column("intensity", Text, nullable=False),
    Column("divergence_percent", Integer, nullable=False),
    Column("target_minutes", Integer, nullable=False),
    Column("segment_seconds", Integer, nullable=False),
    Column("segment_cents", BIGINT, nullable=False),
    Column("total_segments", Integer, nullable=False),
    Column("next_index", Integer, nullable=False),
    Column("seed", BIGINT, nullable=False),
    Column("idempotency_key", Text),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("due_at", UTCDateTime),
    Column("attempt", Integer, nullable=False),
    Column("worker_id", Text),
    Column("taken_at", UTCDateTime),
    Column("seen_at", UTCDateTime, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("ended_at", UTCDateTime),
    Column("purged_at", UTCDateTime),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "user_id", "idempotency_key"),
    ForeignKeyConstraint(["organization_id", "user_id"], ["memberships.organization_id", "memberships.user_id"]),
    CheckConstraint("status IN ('active', 'ended', 'stopped_cap')", name="status_known"),
    CheckConstraint("length(goal) BETWEEN 1 AND 64", name="goal_length"),
    CheckConstraint("length(engine) BETWEEN 1 AND 64", name="engine_length"),
    CheckConstraint("length(custom_prompt) BETWEEN 1 AND 2000", name="custom_prompt_length"),
    CheckConstraint("length(intensity) BETWEEN 1 AND 64", name="intensity_length"),
    CheckConstraint("divergence_percent BETWEEN 0 AND 100", name="divergence_percent_range"),
    CheckConstraint("target_minutes BETWEEN 1 AND 480", name="target_minutes_range"),
    CheckConstraint("segment_seconds BETWEEN 1 AND 3600", name="segment_seconds_range"),
    CheckConstraint("segment_cents >= 0", name="segment_cents_range"),
    CheckConstraint("next_index BETWEEN 0 AND total_segments", name="next_index_range"),
    CheckConstraint("length(idempotency_key) BETWEEN 1 AND 255", name="idempotency_key_length"),
    CheckConstraint("length(fingerprint) = 32", name="fingerprint_length"),
    CheckConstraint("attempt >= 0", name="attempt_range"),
    sqlite_strict=True,
    info=DISTRIBUTED,
)

_session = focus_sessions.c
_IS_ACTIVE = _session.status == "active"
_IS_UNPURGED = and_(_session.ended_at.is_not(None), _session.purged_at.is_(None))

Index(
    "ix_focus_sessions_newest_first",
    _session.organization_id,
    _session.user_id,
    _session.created_at.desc(),
    _session.id.desc(),
)
# A session of another user is not in the place where it is looked for, as one that never was.
Index("ix_focus_sessions_owner", _session.user_id, _session.id, _session.organization_id, unique=True)
# A caller has one active session in an organization, however many requests come at once.
Index(
    "ix_focus_sessions_one_active",
    _session.organization_id,
    _session.user_id,
    unique=True,
    sqlite_where=_IS_ACTIVE,
)
# The worker's queue: ended sessions are not in it, so it stays small.
Index(
    "ix_focus_sessions_active",
    _session.due_at,
    _session.organization_id,
    _session.id,
    sqlite_where=_IS_ACTIVE,
)
# For the maintenance: what still has audio, and what ended long ago.
Index(
    "ix_focus_sessions_unpurged",
    _session.ended_at,
    _session.organization_id,
    _session.id,
    sqlite_where=_IS_UNPURGED,
)
Index("ix_focus_sessions_ended_at", _session.ended_at)

focus_segments = Table(
    "focus_segments",
    metadata,
    Column("organization_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("segment_index", Integer, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("cost_cents", BIGINT, nullable=False),
    Column("seconds", Integer, nullable=False),
    Column("reserved_at", UTCDateTime, nullable=False),
    Column("made_at", UTCDateTime),
    Column("duration_ms", BIGINT),
    Column("fade_ms", Integer),
    Column("audio_name", Text),
    Column("audio_bytes", BIGINT),
    Column("mime_type", Text),
    PrimaryKeyConstraint("organization_id", "session_id", "segment_index"),
    ForeignKeyConstraint(
        ["organization_id", "session_id"], ["focus_sessions.organization_id", "focus_sessions.id"], ondelete="CASCADE"
    ),
    CheckConstraint("segment_index >= 0", name="segment_index_range"),
    CheckConstraint("length(engine) BETWEEN 1 AND 64", name="engine_length"),
    CheckConstraint("cost_cents >= 0", name="cost_cents_range"),
    CheckConstraint("duration_ms >= 0", name="duration_ms_range"),
    CheckConstraint("fade_ms >= 0", name="fade_ms_range"),
    CheckConstraint("(audio_name IS NULL) = (audio_bytes IS NULL)", name="audio_complete"),
    CheckConstraint("(audio_name IS NULL) = (mime_type IS NULL)", name="audio_typed"),
    sqlite_strict=True,
    info=DISTRIBUTED,
)

_HAS_AUDIO = focus_segments.c.audio_name.is_not(None)
Index(
    "ix_focus_segments_audio",
    focus_segments.c.organization_id,
    focus_segments.c.audio_name,
    focus_segments.c.audio_bytes,
    sqlite_where=_HAS_AUDIO,
)
# What a caller has spent.
Index(
    "ix_focus_segments_spent",
    focus_segments.c.organization_id,
    focus_segments.c.user_id,
    focus_segments.c.reserved_at,
)
