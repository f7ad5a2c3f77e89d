"""Fills a database with many rows directly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Any

from sqlalchemy import Connection, Table, insert

from models.db import engines
from models.focus_tables import focus_segments, focus_sessions
from models.generation_tables import generations, spend_windows
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


def job_id(number: int) -> str:
    return f"mjob_{number:012x}"


def session_id(number: int) -> str:
    return f"mfocus_{number:012x}"


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
        _write(connection, generations, _jobs(track_count, user_count), on_progress)
        _write(connection, spend_windows, _windows(), on_progress)
        _write(connection, focus_sessions, _sessions(track_count, user_count), on_progress)
        _write(connection, focus_segments, _segments(track_count, user_count), on_progress)
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


def _jobs(count: int, user_count: int) -> Iterator[dict[str, Any]]:
    for number in range(min(count, 2000)):
        yield {
            "organization_id": HOME,
            "id": job_id(number),
            "user_id": user(number % user_count),
            "status": "queued" if number % 50 == 0 else "succeeded",
            "progress": 100,
            "engine": "studio",
            "mode": "creation",
            "prompt": "rain",
            "duration_seconds": 30,
            "instrumental": True,
            "style_tags": "[]",
            "seed": number,
            "fingerprint": b"0" * 32,
            "cost_cents": 0,
            "attempt": 1,
            "created_at": FIRST_TIMESTAMP + timedelta(seconds=number),
        }


def _windows() -> Iterator[dict[str, Any]]:
    for number in range(365):
        start = FIRST_TIMESTAMP + timedelta(days=number)
        yield {"organization_id": HOME, "span": "day", "window_start": start, "spent_cents": 5}


def _sessions(count: int, user_count: int) -> Iterator[dict[str, Any]]:
    """A user has one active session at most; the audio of all but a few ended ones is forgotten."""
    for number in range(min(count, 2000)):
        is_active, moment = number < min(user_count, 40), FIRST_TIMESTAMP + timedelta(seconds=number)
        yield {
            "organization_id": HOME,
            "id": session_id(number),
            "user_id": user(number % user_count),
            "status": "active" if is_active else "ended",
            "goal": "focus",
            "engine": "studio",
            "intensity": "medium",
            "divergence_percent": 40,
            "target_minutes": 30,
            "segment_seconds": 120,
            "segment_cents": 0,
            "total_segments": 15,
            "next_index": 2,
            "seed": number,
            "fingerprint": b"0" * 32,
            "due_at": moment,
            "attempt": 0,
            "seen_at": moment,
            "created_at": moment,
            "ended_at": None if is_active else moment,
            "purged_at": None if is_active or number % 100 == 0 else moment,
        }


def _segments(count: int, user_count: int) -> Iterator[dict[str, Any]]:
    for session in _sessions(count, user_count):
        for index in range(2):
            has_audio = session["purged_at"] is None
            yield {
                "organization_id": HOME,
                "session_id": session["id"],
                "segment_index": index,
                "user_id": session["user_id"],
                "engine": "studio",
                "cost_cents": 0,
                "seconds": 120,
                "reserved_at": session["created_at"],
                "made_at": session["created_at"],
                "duration_ms": 120_000,
                "fade_ms": 3000,
                "audio_name": f"{HOME}/{session['id']}-{index}-00000000.mp3" if has_audio else None,
                "audio_bytes": 5 if has_audio else None,
                "mime_type": "audio/mpeg" if has_audio else None,
            }
