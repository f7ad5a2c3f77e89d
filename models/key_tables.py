"""Tables of the API keys and of their events.

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

from models.base import DISTRIBUTED, REFERENCE, UTCDateTime, WordSet, metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, nullable=False),
    Column("organization_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, info={"secret": True}),
    Column("hint", Text, nullable=False),
    Column("scopes", WordSet, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime),
    Column("last_used_at", UTCDateTime),
    Column("rate_limit", Text),
    Column("replaced_by", Text),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("digest"),
    ForeignKeyConstraint(["organization_id", "user_id"], ["memberships.organization_id", "memberships.user_id"]),
    CheckConstraint("length(digest) = 32", name="digest_length"),
    CheckConstraint("length(hint) = 8", name="hint_length"),
    CheckConstraint("length(scopes) <= 512", name="scopes_length"),
    CheckConstraint("state IN ('active', 'paused', 'deactivated')", name="state_known"),
    CheckConstraint("length(rate_limit) BETWEEN 1 AND 32", name="rate_limit_length"),
    Index(None, "organization_id", "user_id"),
    Index(None, "expires_at"),
    sqlite_strict=True,
    info=REFERENCE,  # a secret names no organization, so a key is looked up by its digest
)

# No foreign keys: events stay when their key is deleted.
key_events = Table(
    "key_events",
    metadata,
    Column("organization_id", Text, nullable=False),
    Column("happened_at", UTCDateTime, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("detail", Text),
    PrimaryKeyConstraint("organization_id", "happened_at", "key_id", "event"),
    CheckConstraint(
        "event IN ('created', 'rotated', 'paused', 'resumed', 'revoked', 'expired', 'deleted')", name="event_known"
    ),
    CheckConstraint("length(actor) BETWEEN 1 AND 128", name="actor_length"),
    CheckConstraint("length(command) BETWEEN 1 AND 64", name="command_length"),
    CheckConstraint("length(detail) <= 512", name="detail_length"),
    sqlite_strict=True,
    info=DISTRIBUTED,
)
