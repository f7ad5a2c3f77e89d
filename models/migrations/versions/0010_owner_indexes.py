"""Indexes with the owner in them, so that what is somebody else's is looked for in vain as what never was."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_tracks_creator", "tracks", "creator_id"),
    ("ix_generations_owner", "generations", "user_id"),
    ("ix_focus_sessions_owner", "focus_sessions", "user_id"),
)


def upgrade() -> None:
    for name, table, owner in INDEXES:
        op.create_index(name, table, [owner, "id", "organization_id"], unique=True)


def downgrade() -> None:
    for name, table, _ in INDEXES:
        op.drop_index(name, table)
