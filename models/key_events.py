"""What became of API keys and who did it: rows that are only ever added, and never a secret."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import CheckConstraint, Column, PrimaryKeyConstraint, Table, Text, bindparam, select

from models.base import UTCDateTime, insert_or_ignore, metadata
from models.db import connection

# No foreign key: the log outlives the keys that it tells of.
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
)


class Actor(NamedTuple):
    """Who changes a key, as the machine knows them, and by which command."""

    actor: str
    command: str


# For what changes keys without a person, such as a test or the benchmark.
PROGRAM = Actor("program", "models")


class KeyEvent(NamedTuple):
    """One thing that happened to one key."""

    organization_id: str
    happened_at: datetime
    key_id: str
    event: str
    actor: str
    command: str
    detail: str | None


_COLUMNS = [key_events.c[name] for name in KeyEvent._fields]

# The same thing at the same moment is one event, so telling it twice adds nothing.
INSERT = insert_or_ignore(key_events).values({name: bindparam(name) for name in KeyEvent._fields})

LIST = (
    select(*_COLUMNS)
    .where(key_events.c.organization_id == bindparam("organization_id"))
    .order_by(key_events.c.happened_at, key_events.c.key_id, key_events.c.event)
)

LIST_ALL = select(*_COLUMNS).order_by(key_events.c.happened_at, key_events.c.key_id, key_events.c.event)


def record(event: KeyEvent) -> None:
    """Add one event; call it in the transaction that makes it true."""
    connection.execute(INSERT, **event._asdict())


def list_all(organization_id: str | None = None) -> list[KeyEvent]:
    """The events of one organization or of all, oldest first."""
    if organization_id is None:
        return [KeyEvent._make(row) for row in connection.fetch_all(LIST_ALL)]
    return [KeyEvent._make(row) for row in connection.fetch_all(LIST, organization_id=organization_id)]
