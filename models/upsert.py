"""INSERT ... ON CONFLICT for both databases. SQLite's construct has all that PostgreSQL's compiler reads, but one name.

So a server on SQLite does not import the dialects of PostgreSQL, which take a twentieth of its start.
"""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.dialects.sqlite.dml import OnConflictDoNothing, OnConflictDoUpdate


class _Nothing(OnConflictDoNothing):
    inherit_cache = True
    constraint_target = None


class _Update(OnConflictDoUpdate):
    inherit_cache = True
    constraint_target = None


def insert_or_ignore(table: Table) -> Insert:
    """INSERT ... ON CONFLICT DO NOTHING."""
    return insert(table).ext(_Nothing())


def insert_or_update(statement: Insert, **options: Any) -> Insert:
    """INSERT ... ON CONFLICT DO UPDATE, with the options of `Insert.on_conflict_do_update`."""
    return statement.ext(_Update(**options))
