"""Tracks get audio, rights and an end, and there is a library of saved tracks."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
BIGINT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FLAG = sa.Boolean().with_variant(sa.Integer(), "sqlite")

MODES = "mode IN ('creation', 'focus')"
LICENCES = "licence_class IN ('commercial_cleared', 'commercial_enterprise', 'personal_only', 'unclear')"
COMPLETE = "(audio_name IS NULL) = (audio_bytes IS NULL) AND (audio_name IS NULL) = (mime_type IS NULL)"
OLD_RULES = {
    "mode_length": "length(mode) BETWEEN 1 AND 64",
    "licence_class_length": "length(licence_class) BETWEEN 1 AND 64",
}
NEW_RULES = {
    "mode_known": MODES,
    "licence_class_known": LICENCES,
    "audio_name_length": "length(audio_name) BETWEEN 1 AND 255",
    "mime_type_length": "length(mime_type) BETWEEN 1 AND 64",
    "audio_bytes_range": "audio_bytes >= 0",
    "audio_complete": COMPLETE,
}
KEPT_RULES = {
    "title_length": "length(title) BETWEEN 1 AND 512",
    "engine_length": "length(engine) BETWEEN 1 AND 64",
    "duration_ms_range": "duration_ms BETWEEN 0 AND 2147483647",
    "source_digest_length": "length(source_digest) = 32",
}
# What was stored before was music that somebody brought along; nobody had asked for its rights.
FILL = """
    UPDATE tracks SET
        engine = coalesce(engine, 'import'),
        mode = 'creation',
        licence_class = CASE licence_class WHEN 'demo' THEN 'commercial_cleared' ELSE 'unclear' END,
        commercial_use = (licence_class = 'demo'),
        requires_attribution = (licence_class <> 'demo')
"""
COPY_UP = """
    INSERT INTO tracks_new
        (organization_id, id, creator_id, title, engine, mode, duration_ms, instrumental, licence_class,
         commercial_use, requires_attribution, source_digest, created_at)
    SELECT organization_id, id, creator_id, title, coalesce(engine, 'import'), 'creation', duration_ms, instrumental,
        CASE licence_class WHEN 'demo' THEN 'commercial_cleared' ELSE 'unclear' END,
        licence_class = 'demo', licence_class <> 'demo', source_digest, created_at
    FROM tracks
"""
COPY_DOWN = """
    INSERT INTO tracks_new
        (organization_id, id, creator_id, title, engine, mode, duration_ms, instrumental, licence_class,
         source_digest, created_at)
    SELECT organization_id, id, creator_id, title, engine, mode, duration_ms, instrumental, licence_class,
        source_digest, created_at
    FROM tracks
"""
UNTITLED = "UPDATE tracks SET title = 'Untitled' WHERE title IS NULL"
DIGITS = {"sqlite": "lower(hex(randomblob(6)))", "postgresql": "right(gen_random_uuid()::text, 12)"}
# Whoever has created a track has it in the library.
SAVE = (
    "INSERT INTO library_entries"
    " (organization_id, user_id, id, track_organization_id, track_id, source, engine, mode, saved_at)"
    " SELECT organization_id, creator_id, 'mlib_' || {digits}, organization_id, id, 'own', engine, mode, created_at"
    " FROM tracks"
)


def upgrade() -> None:
    if _is_sqlite():
        _rebuild(_new_columns(), KEPT_RULES | NEW_RULES, COPY_UP)
    else:
        _alter()
    create_audio_indexes()
    create_library_entries()
    op.execute(SAVE.format(digits=DIGITS[op.get_bind().dialect.name]))


def downgrade() -> None:
    op.drop_table("library_entries")
    for name in ("ix_tracks_audio", "ix_tracks_deleted_audio"):
        op.drop_index(name, "tracks")
    op.execute(UNTITLED)
    if _is_sqlite():
        _rebuild(_old_columns(), KEPT_RULES | OLD_RULES, COPY_DOWN)
    else:
        _alter_back()


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _rebuild(columns: list[sa.Column[object]], rules: dict[str, str], copy: str) -> None:
    """A new table in the place of the old one: SQLite cannot change a column."""
    op.create_table(
        "tracks_new",
        *columns,
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_tracks")),
        sa.UniqueConstraint("source_digest", "organization_id", name=op.f("uq_tracks_source_digest_organization_id")),
        sa.ForeignKeyConstraint(
            ["organization_id", "creator_id"],
            ["memberships.organization_id", "memberships.user_id"],
            name=op.f("fk_tracks_memberships"),
        ),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_tracks_{name}")) for name, rule in rules.items()),
        sqlite_strict=True,
    )
    op.execute(copy)
    op.drop_table("tracks")
    op.rename_table("tracks_new", "tracks")


def _old_columns() -> list[sa.Column[object]]:
    return [
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
    ]


def _new_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("creator_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text()),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("duration_ms", sa.Integer()),
        sa.Column("instrumental", FLAG, nullable=False),
        sa.Column("licence_class", sa.Text(), nullable=False),
        sa.Column("commercial_use", FLAG, nullable=False),
        sa.Column("requires_attribution", FLAG, nullable=False),
        sa.Column("source_digest", sa.LargeBinary()),
        sa.Column("audio_name", sa.Text()),
        sa.Column("audio_bytes", BIGINT),
        sa.Column("mime_type", sa.Text()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("deleted_at", INSTANT),
    ]


def _alter() -> None:
    for name in OLD_RULES:
        op.drop_constraint(f"ck_tracks_{name}", "tracks")
    for column in ("commercial_use", "requires_attribution"):
        op.add_column("tracks", sa.Column(column, FLAG))
    op.execute(FILL)
    for column in ("engine", "mode", "commercial_use", "requires_attribution"):
        op.alter_column("tracks", column, nullable=False)
    op.alter_column("tracks", "title", nullable=True)
    op.add_column("tracks", sa.Column("audio_name", sa.Text()))
    op.add_column("tracks", sa.Column("audio_bytes", BIGINT))
    op.add_column("tracks", sa.Column("mime_type", sa.Text()))
    op.add_column("tracks", sa.Column("deleted_at", INSTANT))
    for name, rule in NEW_RULES.items():
        op.create_check_constraint(op.f(f"ck_tracks_{name}"), "tracks", rule)


def _alter_back() -> None:
    for name in NEW_RULES:
        op.drop_constraint(f"ck_tracks_{name}", "tracks")
    for column in ("audio_name", "audio_bytes", "mime_type", "deleted_at", "commercial_use", "requires_attribution"):
        op.drop_column("tracks", column)
    op.alter_column("tracks", "title", nullable=False)
    for column in ("engine", "mode"):
        op.alter_column("tracks", column, nullable=True)
    for name, rule in OLD_RULES.items():
        op.create_check_constraint(op.f(f"ck_tracks_{name}"), "tracks", rule)


def create_audio_indexes() -> None:
    columns = {
        "ix_tracks_audio": ["organization_id", "audio_name", "audio_bytes"],
        "ix_tracks_deleted_audio": ["deleted_at", "organization_id", "id"],
    }
    has_audio = "audio_name IS NOT NULL"
    rows = {"ix_tracks_audio": has_audio, "ix_tracks_deleted_audio": f"deleted_at IS NOT NULL AND {has_audio}"}
    for name, where in rows.items():
        op.create_index(name, "tracks", columns[name], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def create_library_entries() -> None:
    op.create_table(
        "library_entries",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("track_organization_id", sa.Text(), nullable=False),
        sa.Column("track_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("share_link_id", sa.Text()),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("saved_at", INSTANT, nullable=False),
        sa.Column("removed_at", INSTANT),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_library_entries")),
        sa.UniqueConstraint(
            "track_id",
            "user_id",
            "organization_id",
            "track_organization_id",
            name=op.f("uq_library_entries_track"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "user_id"],
            ["memberships.organization_id", "memberships.user_id"],
            name=op.f("fk_library_entries_memberships"),
        ),
        sa.CheckConstraint("source IN ('own', 'shared')", name=op.f("ck_library_entries_source_known")),
        sa.CheckConstraint("length(engine) BETWEEN 1 AND 64", name=op.f("ck_library_entries_engine_length")),
        sa.CheckConstraint(MODES, name=op.f("ck_library_entries_mode_known")),
        sqlite_strict=True,
    )
    op.create_index("ix_library_entries_track", "library_entries", ["track_organization_id", "track_id"])
    op.create_index(
        "ix_library_entries_newest_first",
        "library_entries",
        ["organization_id", "user_id", sa.text("saved_at DESC"), sa.text("id DESC")],
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
