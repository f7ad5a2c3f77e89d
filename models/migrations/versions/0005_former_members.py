"""A membership can end; its row stays, because tracks and collections refer to it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.add_column("memberships", sa.Column("ended_at", INSTANT))


def downgrade() -> None:
    op.drop_column("memberships", "ended_at")
