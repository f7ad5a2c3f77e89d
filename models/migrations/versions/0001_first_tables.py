"""The first tables: who there is, their keys, tracks, collections, and the answers that are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The types of a STRICT table of SQLite, next to those of PostgreSQL.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
BIGINT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FLAG = sa.Boolean().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    create_members()
    create_api_keys()
    create_tracks()
    create_collections()
    create_collection_tracks()
    create_idempotency_keys()


def downgrade() -> None:
    for table in (
        "idempotency_keys",
        "collection_tracks",
        "collections",
        "tracks",
        "api_keys",
        "memberships",
        "organizations",
    ):
        op.drop_table(table)


def create_members() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        primary("organizations", "id"),
        check("organizations", "id_length", "length(id) BETWEEN 5 AND 36"),
        sqlite_strict=True,
    )
    op.create_table(
        "memberships",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        primary("memberships", "organization_id", "user_id"),
        foreign("memberships", ["organization_id"], "organizations", ["id"]),
        check("memberships", "user_id_length", "length(user_id) BETWEEN 1 AND 64"),
        sqlite_strict=True,
    )
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"])


def create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("last_used_at", INSTANT),
        primary("api_keys", "id"),
        unique("api_keys", "digest"),
        foreign("api_keys", ["organization_id", "user_id"], "memberships", ["organization_id", "user_id"]),
        check("api_keys", "digest_length", "length(digest) = 32"),
        check("api_keys", "hint_length", "length(hint) = 8"),
        check("api_keys", "scopes_length", "length(scopes) <= 512"),
        check("api_keys", "state_known", "state IN ('active', 'paused', 'deactivated')"),
        sqlite_strict=True,
    )
    op.create_index("ix_api_keys_organization_id_user_id", "api_keys", ["organization_id", "user_id"])


def create_tracks() -> None:
    op.create_table(
        "tracks",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("creator_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text()),
        sa.Column("mode", sa.Text()),
        sa.Column("duration_ms", sa.Integer()),
        sa.Column("instrumental", FLAG, nullable=False),
        sa.Column("licence_class", sa.Text(), nullable=False),
        sa.Column("source_digest", sa.LargeBinary()),
        sa.Column("created_at", INSTANT, nullable=False),
        primary("tracks", "organization_id", "id"),
        unique("tracks", "source_digest", "organization_id"),
        foreign("tracks", ["organization_id", "creator_id"], "memberships", ["organization_id", "user_id"]),
        check("tracks", "title_length", "length(title) BETWEEN 1 AND 512"),
        check("tracks", "engine_length", "length(engine) BETWEEN 1 AND 64"),
        check("tracks", "mode_length", "length(mode) BETWEEN 1 AND 64"),
        check("tracks", "duration_ms_range", "duration_ms BETWEEN 0 AND 2147483647"),
        check("tracks", "licence_class_length", "length(licence_class) BETWEEN 1 AND 64"),
        check("tracks", "source_digest_length", "length(source_digest) = 32"),
        sqlite_strict=True,
    )


def create_collections() -> None:
    op.create_table(
        "collections",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("cover_track_id", sa.Text()),
        sa.Column("cover_image_url", sa.Text()),
        sa.Column("track_count", sa.Integer(), nullable=False),
        sa.Column("version", BIGINT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("deleted_at", INSTANT),
        primary("collections", "organization_id", "id"),
        unique("collections", "organization_id", "owner_id", "id"),
        foreign("collections", ["organization_id", "owner_id"], "memberships", ["organization_id", "user_id"]),
        foreign("collections", ["organization_id", "cover_track_id"], "tracks", ["organization_id", "id"]),
        check("collections", "name_length", "length(name) BETWEEN 1 AND 512"),
        check("collections", "description_length", "length(description) <= 4096"),
        check("collections", "cover_image_url_length", "length(cover_image_url) BETWEEN 1 AND 1024"),
        check("collections", "track_count_range", "track_count BETWEEN 0 AND 10000"),
        check("collections", "version_range", "version >= 1"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_collections_newest_first",
        "collections",
        ["organization_id", "owner_id", sa.text("created_at DESC"), sa.text("id DESC")],
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def create_collection_tracks() -> None:
    scope = ["organization_id", "owner_id", "collection_id"]
    op.create_table(
        "collection_tracks",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("collection_id", sa.Text(), nullable=False),
        sa.Column("track_id", sa.Text(), nullable=False),
        sa.Column("rank", BIGINT, nullable=False),
        sa.Column("added_at", INSTANT, nullable=False),
        primary("collection_tracks", "track_id", "collection_id", "owner_id", "organization_id"),
        foreign("collection_tracks", scope, "collections", ["organization_id", "owner_id", "id"]),
        foreign("collection_tracks", ["organization_id", "track_id"], "tracks", ["organization_id", "id"]),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_collection_tracks_rank", "collection_tracks", ["collection_id", "rank", "owner_id", "organization_id"]
    )


def create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        primary("idempotency_keys", "organization_id", "user_id", "key"),
        check("idempotency_keys", "key_length", "length(key) BETWEEN 1 AND 255"),
        check("idempotency_keys", "fingerprint_length", "length(fingerprint) = 32"),
        check("idempotency_keys", "status_range", "status BETWEEN 100 AND 599"),
        sqlite_strict=True,
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def primary(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def foreign(table: str, columns: list[str], other: str, others: list[str]) -> sa.ForeignKeyConstraint:
    names = [f"{other}.{column}" for column in others]
    return sa.ForeignKeyConstraint(columns, names, name=op.f(f"fk_{table}_{other}"))


def check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))
