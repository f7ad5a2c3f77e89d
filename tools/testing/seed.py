"""Fills a database with many rows directly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Any

from sqlalchemy import Connection, Table, insert

from models.db import engines
from models.ranks import GAP
from models.schema import collection_tracks, collections, library_entries, memberships, organizations, tracks
from tools.testing.service import HOME

BATCH = 5000
FIRST_TIMESTAMP = datetime(2025, 1, 1, tzinfo=UTC)


def user(number: int) -> str:
    return f"user_{number:06}"


def collection_id(number: int) -> str:
    return f"mcoll_{number:012x}"


def track_id(number: int) -> str:
    return f"mtrack_{number:012x}"


def fill(
    url: str, collection_count: int, user_count: int, track_count: int, on_progress: Callable[[int], None]
) -> None:
    """Inserts collections, owned by the users in turn; the first collection and the first library have all tracks."""
    engine = engines.create_unpooled(url, wait_seconds=5)
    with engine.connect() as connection:
        _write(connection, organizations, iter([{"id": HOME, "created_at": FIRST_TIMESTAMP}]), on_progress)
        _write(connection, memberships, _memberships(user_count), on_progress)
        _write(connection, tracks, _tracks(track_count), on_progress)
        _write(connection, library_entries, _entries(track_count), on_progress)
        _write(connection, collections, _collections(collection_count, user_count, track_count), on_progress)
        _write(connection, collection_tracks, _members(track_count), on_progress)
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    engine.dispose()


def _write(
    connection: Connection, table: Table, rows: Iterator[dict[str, Any]], on_progress: Callable[[int], None]
) -> None:
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows, on_progress)
        return
    while batch := list(islice(rows, BATCH)):
        connection.exec_driver_sql("BEGIN")
        connection.execute(insert(table), batch)
        connection.exec_driver_sql("COMMIT")
        on_progress(len(batch))


def _copy(
    connection: Connection, table: Table, rows: Iterator[dict[str, Any]], on_progress: Callable[[int], None]
) -> None:
    first = next(rows)
    names = ", ".join(first)
    cursor: Any = connection.connection.cursor()
    with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in chain([first], rows):
            copy.write_row(list(row.values()))
            on_progress(1)
    connection.commit()


def _memberships(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {"organization_id": HOME, "user_id": user(number), "created_at": FIRST_TIMESTAMP}


def _tracks(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {
            "organization_id": HOME,
            "id": track_id(number),
            "creator_id": user(0),
            "title": f"Track {number}",
            "engine": "import",
            "mode": "creation",
            "instrumental": False,
            "licence_class": "unclear",
            "commercial_use": False,
            "requires_attribution": True,
            "created_at": FIRST_TIMESTAMP + timedelta(seconds=number),
        }


def _entries(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {
            "organization_id": HOME,
            "user_id": user(0),
            "id": f"mlib_{number:012x}",
            "track_organization_id": HOME,
            "track_id": track_id(number),
            "source": "own",
            "engine": "import",
            "mode": "creation",
            "saved_at": FIRST_TIMESTAMP + timedelta(seconds=number),
        }


def _collections(count: int, user_count: int, track_count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        moment = FIRST_TIMESTAMP + timedelta(seconds=number)
        yield {
            "organization_id": HOME,
            "id": collection_id(number),
            "owner_id": user(number % user_count),
            "name": f"Collection {number}",
            "track_count": 0 if number else track_count,
            "version": 1,
            "created_at": moment,
            "updated_at": moment,
        }


def _members(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {
            "organization_id": HOME,
            "owner_id": user(0),
            "collection_id": collection_id(0),
            "track_id": track_id(number),
            "rank": (number + 1) * GAP,
            "added_at": FIRST_TIMESTAMP,
        }
