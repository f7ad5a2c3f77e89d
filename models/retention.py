"""Deletes old rows in batches, so that no writer waits long for one transaction."""

from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Delete,
    Select,
    bindparam,
    select,
)

from models.db import connection

BATCH_ROWS = 500


def batch_end(moment: ColumnElement[datetime]) -> Select[datetime]:
    """The time of the last row of the first batch of rows that are older than `before`."""
    older = select(moment.label("moment")).where(moment < bindparam("before"))
    return older.order_by(moment).limit(1).offset(BATCH_ROWS - 1)


def delete_before(end: Select[datetime], delete_rows: Delete, before: datetime) -> int:
    """Deletes the rows that are older than `before`; returns their number. Raises Unavailable.

    `end` is a batch_end(), and `delete_rows` deletes what is older than its bind `before`.
    """
    deleted = 0
    while (row := connection.fetch_one(end, before=before)) is not None:
        # One microsecond more, so that the last row of the batch and those of the same time are deleted too.
        deleted += connection.execute(delete_rows, before=row.moment + timedelta(microseconds=1))
    return deleted + connection.execute(delete_rows, before=before)
