"""A track has the waveform of its audio, for pages."""

import sqlalchemy as sa
from alembic import context, op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

RULE = "CONSTRAINT ck_tracks_waveform_length CHECK (length(waveform) = 96)"


def upgrade() -> None:
    # SQLite adds a rule to a table that is there only together with a column, and Alembic writes them apart.
    kind = "BLOB" if context.get_context().dialect.name == "sqlite" else "BYTEA"
    op.execute(sa.text(f"ALTER TABLE tracks ADD COLUMN waveform {kind} {RULE}"))


def downgrade() -> None:
    op.drop_column("tracks", "waveform")
