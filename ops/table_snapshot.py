"""Snapshot of all tables: the rows of one moment, and the way back to them."""

from typing import Any

from sqlalchemy import delete, insert, select

from models.db import connection
from models.schema import collections

# Of every table; one that refers to another stands behind it.
_TABLES = collections.metadata.sorted_tables


class TableSnapshot:
    """The rows of the current database at the time of its creation; for a database that fits into memory."""

    def __init__(self) -> None:
        self._rows: dict[str, list[dict[str, Any]]] = {
            table.name: [row._asdict() for row in connection.fetch_all(select(table))] for table in _TABLES
        }

    @connection.transaction
    def restore(self) -> None:
        """Puts back exactly these rows, in one transaction."""
        for table in reversed(_TABLES):
            connection.execute(delete(table))
        for table in _TABLES:
            connection.execute_many(insert(table), self._rows[table.name])
