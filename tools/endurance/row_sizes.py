"""Bytes per row on PostgreSQL, of tables and indexes: `python -m tools.endurance.row_sizes`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import Connection, text

from models.db import engines, migrate
from tools.testing import databases

# Ids are random, as those of the service, so that indexes have a realistic fill factor.
FILLS = {
    "organizations": """
        INSERT INTO organizations SELECT 'org_' || lpad(n::text, 6, '0'), now() FROM generate_series(1, 100) n""",
    "memberships": """
        INSERT INTO memberships SELECT 'org_' || lpad(o::text, 6, '0'), 'user_' || lpad(u::text, 6, '0'), now()
        FROM generate_series(1, 100) o, generate_series(1, 100) u""",
    "api_keys": """
        INSERT INTO api_keys SELECT 'mkey_' || substr(md5(n::text), 1, 12), organization_id, user_id,
        sha256(n::text::bytea), 'msk_' || substr(md5(n::text), 1, 4), 'music:read music:write', 'active', now(),
        now() + interval '90 days' FROM (SELECT *, row_number() OVER () n FROM memberships) member""",
    "tracks": """
        INSERT INTO tracks (organization_id, id, creator_id, title, engine, mode, duration_ms, instrumental,
        licence_class, commercial_use, requires_attribution, source_digest, audio_name, audio_bytes, mime_type,
        created_at)
        SELECT 'org_' || lpad((1 + n % 100)::text, 6, '0'), 'mtrack_' || substr(md5(n::text), 1, 12),
        'user_' || lpad((1 + n / 100 % 100)::text, 6, '0'), 'The title of track number ' || n, 'studio', 'creation',
        180000, false, 'commercial_cleared', true, false, sha256(n::text::bytea),
        'org_000001/mtrack_' || substr(md5(n::text), 1, 12) || '-' || substr(md5(n::text), 1, 8) || '.mp3', 2880000,
        'audio/mpeg', now() FROM generate_series(1, :rows) n""",
    "library_entries": """
        INSERT INTO library_entries SELECT organization_id, creator_id, 'mlib_' || substr(id, 8), organization_id, id,
        'own', NULL, engine, mode, created_at FROM tracks""",
    "collections": """
        INSERT INTO collections SELECT 'org_' || lpad((1 + n % 100)::text, 6, '0'),
        'mcoll_' || substr(md5(n::text), 1, 12), 'user_' || lpad((1 + n / 100 % 100)::text, 6, '0'),
        'The name of collection ' || n,
        CASE WHEN n % 2 = 0 THEN repeat('A sentence about it. ', 4) END,
        CASE WHEN n % 2 = 0 THEN 'mtrack_' || substr(md5(n::text), 1, 12) END, NULL, 2, 3,
        now() - n * interval '1 second', now() FROM generate_series(1, :rows) n""",
    "collection_tracks": """
        INSERT INTO collection_tracks SELECT organization_id, owner_id, id,
        'mtrack_' || substr(md5((random() * 1e9)::text || k), 1, 12), k << 20, now()
        FROM collections, generate_series(1, 2) k""",
    "idempotency_keys": """
        INSERT INTO idempotency_keys SELECT 'org_' || lpad((1 + n % 100)::text, 6, '0'),
        'user_' || lpad((1 + n / 100 % 100)::text, 6, '0'), md5(n::text), sha256(n::text::bytea), 201,
        '{"location": "/v1/music/org_000001/collections/mcoll_000000000000"}', convert_to(repeat('x', 380), 'UTF8'),
        now() FROM generate_series(1, :rows / 10) n""",
}  # fmt: skip
SIZES = text(
    "SELECT pg_table_size(CAST(:name AS regclass)) AS heap, pg_indexes_size(CAST(:name AS regclass)) AS indexes,"
    " (SELECT reltuples FROM pg_class WHERE oid = CAST(:name AS regclass)) AS rows"
)


class Size(NamedTuple):
    """Bytes per row of a table and of its indexes, averaged over the rows."""

    table: str
    rows: int
    row: float
    indexes: float


def sizes(rows: int, console: Console) -> Iterator[Size]:
    """The size of each table, on a new database with so many tracks and collections."""
    with databases.postgres_database() as url:
        migrate.upgrade(url)
        engine = engines.create_unpooled(url, wait_seconds=5)
        with engine.connect() as connection:
            connection.exec_driver_sql("SET session_replication_role = replica")  # skips foreign key checks
            for name, statement in track(FILLS.items(), "Filling", console=console):
                connection.execute(
                    text(f"{statement} ON CONFLICT DO NOTHING"), {"rows": rows} if ":rows" in statement else {}
                )
                connection.exec_driver_sql(f"ANALYZE {name}")
                connection.commit()
            yield from (_size(connection, name) for name in FILLS)
        engine.dispose()


def _size(connection: Connection, name: str) -> Size:
    found = connection.execute(SIZES, {"name": name}).one()
    return Size(name, int(found.rows), found.heap / found.rows, found.indexes / found.rows)


def main(words: list[str]) -> int:
    """Prints a table, or JSON."""
    ask = argparse.ArgumentParser(prog="python -m tools.endurance.row_sizes", description=__doc__)
    ask.add_argument("--rows", type=int, default=1_000_000, help="tracks, and collections (default %(default)s)")
    ask.add_argument("--json", action="store_true", help="print JSON")
    chosen = ask.parse_args(words)
    found = list(sizes(chosen.rows, Console(stderr=True)))
    if chosen.json:
        print(json.dumps([size._asdict() for size in found], indent=2))
        return 0
    table = Table("Table", "Rows", "Bytes of a row", "and of its indexes", box=None, header_style="bold")
    for size in found:
        table.add_row(size.table, f"{size.rows:,}", f"{size.row:.0f}", f"{size.indexes:.0f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
