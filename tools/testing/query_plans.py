"""EXPLAIN for the statements of models, with sample values for their bind parameters."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Executable

from tools.testing import seed
from tools.testing.service import HOME

BINDS: dict[str, Any] = {
    "organization": HOME,
    "organization_id": HOME,
    "owner": seed.user(0),
    "user_id": seed.user(0),
    "collection": seed.collection_id(0),
    "track": seed.track_id(5),
    "track_organization": HOME,
    "wanted_mode": "creation",
    "wanted_engine": "import",
    "track_id": seed.track_id(5),
    "track_ids": [seed.track_id(number) for number in range(40)],
    "names": [f"{HOME}/{seed.track_id(number)}-00000000.mp3" for number in range(40)],
    "key": "key",
    "key_id": "mkey_000000000000",
    "digest": b"0" * 32,
    "source_digest": b"0" * 32,
    "new_share_link_id": None,
    "user": seed.user(0),
    "job": seed.job_id(5),
    "session": seed.session_id(5),
    "index": 0,
    "seconds": 120,
    "new_duration": 120_000,
    "new_fade": 3000,
    "new_name": "org_home1/a.mp3",
    "new_bytes": 5,
    "new_type": "audio/mpeg",
    "wanted": "queued",
    "wanted_status": "ended",
    "mine": 1,
    "worker": "worker-1",
    "share": 5,
    "link": "mslink_000000000000",
    "uncounted": 0,
    "new_status": "failed",
    "which": "day",
    "cost": 5,
    "most": 10,
    "cents": 5,
    "enabled": True,
    "cents_per_minute": 5,
    "limit": 50,
    "offset": 50,
    "count": 3,
    "expected": 1,
    "more": 1,
    "new_rank": 7,
    "moved": [seed.track_id(number) for number in range(40)],
    "new_ranks": list(range(40)),
    "number": 7,
    "new_state": "paused",
    "successor_id": "mkey_000000000001",
    "name": "Focus",
    "actor": "ida",
    "command": "serve",
    **dict.fromkeys(("set_name", "set_description", "set_cover_track_id", "set_cover_image_url"), True),
}
TIMESTAMP, TIMESTAMP_BINDS = datetime(2026, 1, 1, tzinfo=UTC), (
    "now", "before", "after", "created_at", "ends_at", "start", "end", "earliest", "day", "week", "month", "next_due",
)  # fmt: skip


def plan(connection: Connection, statement: Executable) -> list[str]:
    """The lines of the query plan of a statement."""
    compiled: Any = statement.compile(dialect=connection.dialect)  # type: ignore[attr-defined]
    expanded = compiled.construct_expanded_state({name: _value(compiled, name) for name in compiled.params})
    values = {name: _processed(compiled, name, value) for name, value in expanded.parameters.items()}
    ordered = tuple(values[name] for name in expanded.positiontup) if expanded.positiontup else values
    word = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    return [str(row[-1]) for row in connection.exec_driver_sql(f"{word} {expanded.statement}", ordered)]


def _value(compiled: Any, name: str) -> Any:
    return TIMESTAMP if name in TIMESTAMP_BINDS else BINDS.get(name, compiled.params[name])


def _processed(compiled: Any, name: str, value: Any) -> Any:
    process = compiled._bind_processors.get(name)
    return process(value) if process else value
