"""All tables, with their constraints.

Decision 27.
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

import models.focus_tables
import models.generation_tables
import models.key_tables
import models.share_tables  # noqa: F401 - the imports put their tables into the metadata
from models.base import BIGINT, DISTRIBUTED, REFERENCE, Bool, UTCDateTime, metadata

organizations = Table(
    "organizations",
    metadata,
    Column("id", Text, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    PrimaryKeyConstraint("id"),
    CheckConstraint("length(id) BETWEEN 5 AND 36", name="id_length"),
    sqlite_strict=True,
    info=REFERENCE,  # its key is the organization
)

# The row of a former member stays: tracks, collections and jobs refer to it.
memberships = Table(
    "memberships",
    metadata,
    Column("organization_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("ended_at", UTCDateTime),
    PrimaryKeyConstraint("organization_id", "user_id"),
    ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
    CheckConstraint("length(user_id) BETWEEN 1 AND 64", name="user_id_length"),
    Index(None, "user_id"),  # for JWTs, which contain only the user
    sqlite_strict=True,
    info=REFERENCE,  # a token names its user alone
)

tracks = Table(
    "tracks",
    metadata,
    Column("organization_id", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("creator_id", Text, nullable=False),
    Column("title", Text),
    Column("engine", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("duration_ms", Integer),
    Column("instrumental", Bool, nullable=False),
    Column("licence_class", Text, nullable=False),
    Column("commercial_use", Bool, nullable=False),
    Column("requires_attribution", Bool, nullable=False),
    Column("source_digest", LargeBinary),
    Column("audio_name", Text),
    Column("audio_bytes", BIGINT),
    Column("mime_type", Text),
    Column("created_at", UTCDateTime, nullable=False),
    Column("deleted_at", UTCDateTime),
    Column("waveform", LargeBinary),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("source_digest", "organization_id"),
    ForeignKeyConstraint(["organization_id", "creator_id"], ["memberships.organization_id", "memberships.user_id"]),
    CheckConstraint("length(title) BETWEEN 1 AND 512", name="title_length"),
    CheckConstraint("length(engine) BETWEEN 1 AND 64", name="engine_length"),
    CheckConstraint("mode IN ('creation', 'focus')", name="mode_known"),
    CheckConstraint("duration_ms BETWEEN 0 AND 2147483647", name="duration_ms_range"),
    CheckConstraint(
        "licence_class IN ('commercial_cleared', 'commercial_enterprise', 'personal_only', 'unclear')",
        name="licence_class_known",
    ),
    CheckConstraint("length(source_digest) = 32", name="source_digest_length"),
    CheckConstraint("length(audio_name) BETWEEN 1 AND 255", name="audio_name_length"),
    CheckConstraint("length(mime_type) BETWEEN 1 AND 64", name="mime_type_length"),
    CheckConstraint("audio_bytes >= 0", name="audio_bytes_range"),
    CheckConstraint("length(waveform) = 96", name="waveform_length"),
    CheckConstraint(
        "(audio_name IS NULL) = (audio_bytes IS NULL) AND (audio_name IS NULL) = (mime_type IS NULL)",
        name="audio_complete",
    ),
    sqlite_strict=True,
    info=DISTRIBUTED,
)

_HAS_AUDIO = tracks.c.audio_name.is_not(None)
_IS_DELETED_WITH_AUDIO = and_(tracks.c.deleted_at.is_not(None), _HAS_AUDIO)

# A track of somebody else is not in the place where it is looked for, as one that never was.
Index("ix_tracks_creator", tracks.c.creator_id, tracks.c.id, tracks.c.organization_id, unique=True)

# Finds the row that names an object of the store, and sums the bytes of an organization without reading its rows.
Index(
    "ix_tracks_audio",
    tracks.c.organization_id,
    tracks.c.audio_name,
    tracks.c.audio_bytes,
    sqlite_where=_HAS_AUDIO,
)
Index(
    "ix_tracks_deleted_audio",
    tracks.c.deleted_at,
    tracks.c.organization_id,
    tracks.c.id,
    sqlite_where=_IS_DELETED_WITH_AUDIO,
)

collections = Table(
    "collections",
    metadata,
    Column("organization_id", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("cover_track_id", Text),
    Column("cover_image_url", Text),
    Column("track_count", Integer, nullable=False),
    Column("version", BIGINT, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("updated_at", UTCDateTime, nullable=False),
    Column("deleted_at", UTCDateTime),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "owner_id", "id"),
    ForeignKeyConstraint(["organization_id", "owner_id"], ["memberships.organization_id", "memberships.user_id"]),
    ForeignKeyConstraint(["organization_id", "cover_track_id"], ["tracks.organization_id", "tracks.id"]),
    CheckConstraint("length(name) BETWEEN 1 AND 512", name="name_length"),
    CheckConstraint("length(description) <= 4096", name="description_length"),
    CheckConstraint("length(cover_image_url) BETWEEN 1 AND 1024", name="cover_image_url_length"),
    CheckConstraint("track_count BETWEEN 0 AND 10000", name="track_count_range"),
    CheckConstraint("version >= 1", name="version_range"),
    sqlite_strict=True,
    info=DISTRIBUTED,
)

Index(
    "ix_collections_newest_first",
    collections.c.organization_id,
    collections.c.owner_id,
    collections.c.created_at.desc(),
    collections.c.id.desc(),
    sqlite_where=collections.c.deleted_at.is_(None),
)

collection_tracks = Table(
    "collection_tracks",
    metadata,
    Column("organization_id", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("collection_id", Text, nullable=False),
    Column("track_id", Text, nullable=False),
    Column("rank", BIGINT, nullable=False),
    Column("added_at", UTCDateTime, nullable=False),
    # One index serves the look-up of a track, the other an ordered page, and neither serves both: a planner without
    # statistics, as for a new table, cannot choose the wrong one and read a complete collection for each track.
    PrimaryKeyConstraint("track_id", "collection_id", "owner_id", "organization_id"),
    ForeignKeyConstraint(
        ["organization_id", "owner_id", "collection_id"],
        ["collections.organization_id", "collections.owner_id", "collections.id"],
    ),
    ForeignKeyConstraint(["organization_id", "track_id"], ["tracks.organization_id", "tracks.id"]),
    Index("ix_collection_tracks_rank", "collection_id", "rank", "owner_id", "organization_id"),
    sqlite_strict=True,
    info=DISTRIBUTED,
)

# A track that a user has saved. The track may belong to another organization, from which the entry was shared: so there
# is no foreign key to it, no statement joins the two, and the entry has a copy of what the library is filtered by.
library_entries = Table(
    "library_entries",
    metadata,
    Column("organization_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("track_organization_id", Text, nullable=False),
    Column("track_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("share_link_id", Text),
    Column("engine", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("saved_at", UTCDateTime, nullable=False),
    Column("removed_at", UTCDateTime),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint(
        "track_id", "user_id", "organization_id", "track_organization_id", name="uq_library_entries_track"
    ),
    ForeignKeyConstraint(["organization_id", "user_id"], ["memberships.organization_id", "memberships.user_id"]),
    CheckConstraint("source IN ('own', 'shared')", name="source_known"),
    CheckConstraint("length(engine) BETWEEN 1 AND 64", name="engine_length"),
    CheckConstraint("mode IN ('creation', 'focus')", name="mode_known"),
    Index("ix_library_entries_track", "track_organization_id", "track_id"),
    sqlite_strict=True,
    info=DISTRIBUTED,
)

Index(
    "ix_library_entries_newest_first",
    library_entries.c.organization_id,
    library_entries.c.user_id,
    library_entries.c.saved_at.desc(),
    library_entries.c.id.desc(),
    sqlite_where=library_entries.c.removed_at.is_(None),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("organization_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    PrimaryKeyConstraint("organization_id", "user_id", "key"),
    Index(None, "created_at"),
    CheckConstraint("length(key) BETWEEN 1 AND 255", name="key_length"),
    CheckConstraint("length(fingerprint) = 32", name="fingerprint_length"),
    CheckConstraint("status BETWEEN 100 AND 599", name="status_range"),
    sqlite_strict=True,
    info=DISTRIBUTED,
)
