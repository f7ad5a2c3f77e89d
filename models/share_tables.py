"""Tables of the share links, and of the digests of their tokens.

Decision 27.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from models.base import BIGINT, DISTRIBUTED, REFERENCE, UTCDateTime, metadata

# A link to one track or one collection of its owner. Links stay when they are revoked or have expired.
share_links = Table(
    "share_links",
    metadata,
    Column("organization_id", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("track_id", Text),
    Column("collection_id", Text),
    Column("visibility", Text, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime),
    Column("revoked_at", UTCDateTime),
    Column("resolve_count", BIGINT, nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    # A link of another user is not in the place where it is looked for, as one that never was.
    UniqueConstraint("organization_id", "user_id", "id"),
    ForeignKeyConstraint(["organization_id", "user_id"], ["memberships.organization_id", "memberships.user_id"]),
    ForeignKeyConstraint(["organization_id", "track_id"], ["tracks.organization_id", "tracks.id"]),
    ForeignKeyConstraint(
        ["organization_id", "user_id", "collection_id"],
        ["collections.organization_id", "collections.owner_id", "collections.id"],
    ),
    CheckConstraint("(track_id IS NULL) <> (collection_id IS NULL)", name="one_target"),
    CheckConstraint("visibility IN ('link_only', 'public')", name="visibility_known"),
    CheckConstraint("resolve_count >= 0", name="resolve_count_range"),
    sqlite_strict=True,
    info=DISTRIBUTED,
)

Index(
    "ix_share_links_newest_first",
    share_links.c.organization_id,
    share_links.c.user_id,
    share_links.c.created_at.desc(),
    share_links.c.id.desc(),
)

# A token names no organization, so this table says which link it belongs to. It has no foreign key, because a copy of
# it is on every node of a distributed database. A revoked link has no row, and the key contains the end: so a token
# that has expired is missed by one look at one index, as is one that never was.
share_tokens = Table(
    "share_tokens",
    metadata,
    Column("digest", LargeBinary, nullable=False, info={"secret": True}),
    Column("organization_id", Text, nullable=False),
    Column("link_id", Text, nullable=False),
    Column("ends_at", UTCDateTime, nullable=False),
    PrimaryKeyConstraint("digest", "ends_at"),
    UniqueConstraint("organization_id", "link_id"),
    CheckConstraint("length(digest) = 32", name="digest_length"),
    sqlite_strict=True,
    info=REFERENCE,  # a token names no organization, so a link is looked up by its digest
)
