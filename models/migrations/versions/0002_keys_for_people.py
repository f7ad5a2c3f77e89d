"""Keys get a limit of their own and a successor, and there is a log of what became of them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
EVENTS = "event IN ('created', 'rotated', 'paused', 'resumed', 'revoked', 'expired', 'deleted')"
# SQLite adds a rule to a table that is there only together with a column, and Alembic writes them apart.
ADD_LIMIT = (
    "ALTER TABLE api_keys ADD COLUMN rate_limit TEXT "
    "CONSTRAINT ck_api_keys_rate_limit_length CHECK (length(rate_limit) BETWEEN 1 AND 32)"
)


def upgrade() -> None:
    op.execute(ADD_LIMIT)
    op.add_column("api_keys", sa.Column("replaced_by", sa.Text()))
    op.create_index("ix_api_keys_expires_at", "api_keys", ["expires_at"])
    op.create_table(
        "key_events",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("happened_at", INSTANT, nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text()),
        sa.PrimaryKeyConstraint("organization_id", "happened_at", "key_id", "event", name=op.f("pk_key_events")),
        sa.CheckConstraint(EVENTS, name=op.f("ck_key_events_event_known")),
        sa.CheckConstraint("length(actor) BETWEEN 1 AND 128", name=op.f("ck_key_events_actor_length")),
        sa.CheckConstraint("length(command) BETWEEN 1 AND 64", name=op.f("ck_key_events_command_length")),
        sa.CheckConstraint("length(detail) <= 512", name=op.f("ck_key_events_detail_length")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("key_events")
    op.drop_index("ix_api_keys_expires_at", "api_keys")
    op.drop_column("api_keys", "replaced_by")
    op.drop_column("api_keys", "rate_limit")
