"""Share links, and the digests of their tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# The types of a STRICT table of SQLite, next to those of PostgreSQL.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
BIGINT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    create_share_links()
    op.create_table(
        "share_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("link_id", sa.Text(), nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("digest", "ends_at", name=op.f("pk_share_tokens")),
        sa.UniqueConstraint("organization_id", "link_id", name=op.f("uq_share_tokens_organization_id_link_id")),
        check("share_tokens", "digest_length", "length(digest) = 32"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("share_tokens")
    op.drop_table("share_links")


def create_share_links() -> None:
    op.create_table(
        "share_links",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("track_id", sa.Text()),
        sa.Column("collection_id", sa.Text()),
        sa.Column("visibility", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.Column("resolve_count", BIGINT, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_share_links")),
        sa.UniqueConstraint("organization_id", "user_id", "id", name=op.f("uq_share_links_organization_id_user_id_id")),
        reference("memberships", ["organization_id", "user_id"], ["organization_id", "user_id"]),
        reference("tracks", ["organization_id", "track_id"], ["organization_id", "id"]),
        reference(
            "collections", ["organization_id", "user_id", "collection_id"], ["organization_id", "owner_id", "id"]
        ),
        check("share_links", "one_target", "(track_id IS NULL) <> (collection_id IS NULL)"),
        check("share_links", "visibility_known", "visibility IN ('link_only', 'public')"),
        check("share_links", "resolve_count_range", "resolve_count >= 0"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_share_links_newest_first",
        "share_links",
        ["organization_id", "user_id", sa.text("created_at DESC"), sa.text("id DESC")],
    )


def reference(table: str, columns: list[str], referred: list[str]) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        columns, [f"{table}.{column}" for column in referred], name=op.f(f"fk_share_links_{table}")
    )


def check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))
