"""Focus sessions: music that goes on, made in segments while it plays."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# The types of a STRICT table of SQLite, next to those of PostgreSQL.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
BIGINT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ACTIVE = sa.text("status = 'active'")
UNPURGED = sa.text("ended_at IS NOT NULL AND purged_at IS NULL")
HAS_AUDIO = sa.text("audio_name IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "focus_sessions",
        *_session_columns(),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_focus_sessions")),
        sa.UniqueConstraint(
            "organization_id",
            "user_id",
            "idempotency_key",
            name=op.f("uq_focus_sessions_organization_id_user_id_idempotency_key"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "user_id"],
            ["memberships.organization_id", "memberships.user_id"],
            name=op.f("fk_focus_sessions_memberships"),
        ),
        *_session_checks(),
        sqlite_strict=True,
    )
    create_session_indexes()
    create_segments()


def downgrade() -> None:
    op.drop_table("focus_segments")
    op.drop_table("focus_sessions")


def _session_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("goal", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("custom_prompt", sa.Text()),
        sa.Column("intensity", sa.Text(), nullable=False),
        sa.Column("divergence_percent", sa.Integer(), nullable=False),
        sa.Column("target_minutes", sa.Integer(), nullable=False),
        sa.Column("segment_seconds", sa.Integer(), nullable=False),
        sa.Column("segment_cents", BIGINT, nullable=False),
        sa.Column("total_segments", sa.Integer(), nullable=False),
        sa.Column("next_index", sa.Integer(), nullable=False),
        sa.Column("seed", BIGINT, nullable=False),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("due_at", INSTANT),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Text()),
        sa.Column("taken_at", INSTANT),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("purged_at", INSTANT),
    ]


def _session_checks() -> list[sa.CheckConstraint]:
    rules = {
        "status_known": "status IN ('active', 'ended', 'stopped_cap')",
        "goal_length": "length(goal) BETWEEN 1 AND 64",
        "engine_length": "length(engine) BETWEEN 1 AND 64",
        "custom_prompt_length": "length(custom_prompt) BETWEEN 1 AND 2000",
        "intensity_length": "length(intensity) BETWEEN 1 AND 64",
        "divergence_percent_range": "divergence_percent BETWEEN 0 AND 100",
        "target_minutes_range": "target_minutes BETWEEN 1 AND 480",
        "segment_seconds_range": "segment_seconds BETWEEN 1 AND 3600",
        "segment_cents_range": "segment_cents >= 0",
        "next_index_range": "next_index BETWEEN 0 AND total_segments",
        "idempotency_key_length": "length(idempotency_key) BETWEEN 1 AND 255",
        "fingerprint_length": "length(fingerprint) = 32",
        "attempt_range": "attempt >= 0",
    }
    return [check("focus_sessions", name, rule) for name, rule in rules.items()]


def create_session_indexes() -> None:
    op.create_index(
        "ix_focus_sessions_newest_first",
        "focus_sessions",
        ["organization_id", "user_id", sa.text("created_at DESC"), sa.text("id DESC")],
    )
    op.create_index("ix_focus_sessions_ended_at", "focus_sessions", ["ended_at"])
    create_partial_index("focus_sessions", "one_active", ["organization_id", "user_id"], ACTIVE, unique=True)
    create_partial_index("focus_sessions", "active", ["due_at", "organization_id", "id"], ACTIVE)
    create_partial_index("focus_sessions", "unpurged", ["ended_at", "organization_id", "id"], UNPURGED)


def create_segments() -> None:
    op.create_table(
        "focus_segments",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("segment_index", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("cost_cents", BIGINT, nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("reserved_at", INSTANT, nullable=False),
        sa.Column("made_at", INSTANT),
        sa.Column("duration_ms", BIGINT),
        sa.Column("fade_ms", sa.Integer()),
        sa.Column("audio_name", sa.Text()),
        sa.Column("audio_bytes", BIGINT),
        sa.Column("mime_type", sa.Text()),
        sa.PrimaryKeyConstraint("organization_id", "session_id", "segment_index", name=op.f("pk_focus_segments")),
        sa.ForeignKeyConstraint(
            ["organization_id", "session_id"],
            ["focus_sessions.organization_id", "focus_sessions.id"],
            name=op.f("fk_focus_segments_focus_sessions"),
            ondelete="CASCADE",
        ),
        check("focus_segments", "segment_index_range", "segment_index >= 0"),
        check("focus_segments", "engine_length", "length(engine) BETWEEN 1 AND 64"),
        check("focus_segments", "cost_cents_range", "cost_cents >= 0"),
        check("focus_segments", "duration_ms_range", "duration_ms >= 0"),
        check("focus_segments", "fade_ms_range", "fade_ms >= 0"),
        check("focus_segments", "audio_complete", "(audio_name IS NULL) = (audio_bytes IS NULL)"),
        check("focus_segments", "audio_typed", "(audio_name IS NULL) = (mime_type IS NULL)"),
        sqlite_strict=True,
    )
    spent = ["organization_id", "user_id", "reserved_at"]
    op.create_index("ix_focus_segments_spent", "focus_segments", spent)
    create_partial_index("focus_segments", "audio", ["organization_id", "audio_name", "audio_bytes"], HAS_AUDIO)


def create_partial_index(
    table: str, name: str, columns: list[str], condition: sa.TextClause, *, unique: bool = False
) -> None:
    op.create_index(
        f"ix_{table}_{name}", table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition
    )


def check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))
