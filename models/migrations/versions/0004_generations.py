"""Jobs that make music, what they cost, and the workers that take them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# The types of a STRICT table of SQLite, next to those of PostgreSQL.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
BIGINT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FLAG = sa.Boolean().with_variant(sa.Integer(), "sqlite")
ACTIVE = sa.text("status IN ('queued', 'running')")
SPANS = "span IN ('day', 'week', 'month')"


def upgrade() -> None:
    create_generations()
    create_active_jobs()
    create_spending()
    create_engine_settings()
    create_workers()


def downgrade() -> None:
    for table in ("workers", "engine_settings", "spend_limits", "spend_windows", "active_jobs", "generations"):
        op.drop_table(table)


def create_generations() -> None:
    op.create_table(
        "generations",
        *_job_columns(),
        primary("generations", "organization_id", "id"),
        sa.UniqueConstraint(
            "organization_id",
            "user_id",
            "idempotency_key",
            name=op.f("uq_generations_organization_id_user_id_idempotency_key"),
        ),
        of_member("generations"),
        track("generations", "seed_track"),
        track("generations", "result_track"),
        *_job_checks(),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_generations_newest_first",
        "generations",
        ["organization_id", "user_id", sa.text("created_at DESC"), sa.text("id DESC")],
    )
    op.create_index("ix_generations_finished_at", "generations", ["finished_at"])
    op.create_index(
        "ix_generations_active",
        "generations",
        ["created_at", "organization_id", "id"],
        sqlite_where=ACTIVE,
        postgresql_where=ACTIVE,
    )


def _job_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("duration_seconds", sa.Integer(), nullable=False),
        sa.Column("instrumental", FLAG, nullable=False),
        sa.Column("lyrics", sa.Text()),
        sa.Column("seed_track_id", sa.Text()),
        sa.Column("style_tags", sa.Text(), nullable=False),
        sa.Column("title", sa.Text()),
        sa.Column("seed", BIGINT, nullable=False),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("cost_cents", BIGINT, nullable=False),
        sa.Column("result_track_id", sa.Text()),
        sa.Column("error_message", sa.Text()),
        sa.Column("refusal_reason", sa.Text()),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Text()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT),
        sa.Column("finished_at", INSTANT),
    ]


def _job_checks() -> list[sa.CheckConstraint]:
    statuses = "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'refused')"
    rules = {
        "status_known": statuses,
        "progress_range": "progress BETWEEN 0 AND 100",
        "engine_length": "length(engine) BETWEEN 1 AND 64",
        "mode_length": "length(mode) BETWEEN 1 AND 64",
        "prompt_length": "length(prompt) BETWEEN 1 AND 2000",
        "duration_seconds_range": "duration_seconds BETWEEN 1 AND 3600",
        "lyrics_length": "length(lyrics) <= 5000",
        "style_tags_length": "length(style_tags) <= 16384",
        "title_length": "length(title) BETWEEN 1 AND 200",
        "idempotency_key_length": "length(idempotency_key) BETWEEN 1 AND 255",
        "fingerprint_length": "length(fingerprint) = 32",
        "cost_cents_range": "cost_cents >= 0",
        "error_message_length": "length(error_message) BETWEEN 1 AND 256",
        "refusal_reason_length": "length(refusal_reason) BETWEEN 1 AND 256",
        "attempt_range": "attempt >= 0",
    }
    return [check("generations", name, rule) for name, rule in rules.items()]


def create_active_jobs() -> None:
    op.create_table(
        "active_jobs",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("job_count", sa.Integer(), nullable=False),
        sa.Column("taken_at", INSTANT),
        primary("active_jobs", "organization_id", "user_id"),
        of_member("active_jobs"),
        check("active_jobs", "job_count_range", "job_count >= 0"),
        sqlite_strict=True,
    )


def create_spending() -> None:
    op.create_table(
        "spend_windows",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("span", sa.Text(), nullable=False),
        sa.Column("window_start", INSTANT, nullable=False),
        sa.Column("spent_cents", BIGINT, nullable=False),
        primary("spend_windows", "organization_id", "span", "window_start"),
        check("spend_windows", "span_known", SPANS),
        check("spend_windows", "spent_cents_range", "spent_cents >= 0"),
        sqlite_strict=True,
    )
    op.create_table(
        "spend_limits",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("span", sa.Text(), nullable=False),
        sa.Column("limit_cents", BIGINT, nullable=False),
        primary("spend_limits", "organization_id", "span"),
        check("spend_limits", "span_known", SPANS),
        check("spend_limits", "limit_cents_range", "limit_cents >= 0"),
        sqlite_strict=True,
    )


def create_engine_settings() -> None:
    op.create_table(
        "engine_settings",
        sa.Column("engine_key", sa.Text(), nullable=False),
        sa.Column("enabled", FLAG, nullable=False),
        sa.Column("cents_per_minute", BIGINT, nullable=False),
        primary("engine_settings", "engine_key"),
        check("engine_settings", "engine_key_length", "length(engine_key) BETWEEN 1 AND 64"),
        check("engine_settings", "cents_per_minute_range", "cents_per_minute BETWEEN 0 AND 100000000"),
        sqlite_strict=True,
    )


def create_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("heartbeat_at", INSTANT, nullable=False),
        primary("workers", "id"),
        check("workers", "id_length", "length(id) BETWEEN 1 AND 128"),
        sqlite_strict=True,
    )


def primary(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def of_member(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id", "user_id"],
        ["memberships.organization_id", "memberships.user_id"],
        name=op.f(f"fk_{table}_memberships"),
    )


def track(table: str, which: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id", f"{which}_id"], ["tracks.organization_id", "tracks.id"], name=op.f(f"fk_{table}_{which}")
    )


def check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))
