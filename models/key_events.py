"""Key log: events of API keys, in rows that are only inserted and contain no secret.

Decision 39.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, select

from models.db import connection
from models.key_tables import key_events
from models.upsert import insert_or_ignore


class Actor(NamedTuple):
    """Who changed a key (the operating system's user) and with which command."""

    actor: str
    command: str


# The actor of programs, such as tests and the benchmark.
PROGRAM = Actor("program", "models")


class KeyEvent(NamedTuple):
    """One event of one key."""

    organization_id: str
    happened_at: datetime
    key_id: str
    event: str
    actor: str
    command: str
    detail: str | None


_COLUMNS = [key_events.c[name] for name in KeyEvent._fields]

# The same event of a key at the same time is one row, so inserting it twice adds nothing.
INSERT = insert_or_ignore(key_events).values({name: bindparam(name) for name in KeyEvent._fields})

LIST = (
    select(*_COLUMNS)
    .where(key_events.c.organization_id == bindparam("organization_id"))
    .order_by(key_events.c.happened_at, key_events.c.key_id, key_events.c.event)
)

LIST_ALL = select(*_COLUMNS).order_by(key_events.c.happened_at, key_events.c.key_id, key_events.c.event)


def record(event: KeyEvent) -> None:
    """Inserts one event; call it in the transaction that changes the key."""
    connection.execute(INSERT, **event._asdict())


def list_all(organization_id: str | None = None) -> list[KeyEvent]:
    """The events of one organization or of all, oldest first."""
    if organization_id is None:
        return [KeyEvent._make(row) for row in connection.fetch_all(LIST_ALL)]
    return [KeyEvent._make(row) for row in connection.fetch_all(LIST, organization_id=organization_id)]
