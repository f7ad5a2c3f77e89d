"""Tables of the workloads in SQLAlchemy Core, with the simplest column types."""

import os
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.types import TypeEngine

URL = os.environ["BENCH_DATABASE_URL"]
IS_SQLITE = URL.startswith("sqlite")

metadata = MetaData()
# SQLite has no type for times; they are ISO 8601 texts.
MOMENT: TypeEngine[Any] = Text() if IS_SQLITE else DateTime(timezone=True)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization_id", Text),
    Column("user_id", Text),
    Column("digest", LargeBinary),
    Column("scopes", Text),
    Column("state", Text),
    Column("expires_at", MOMENT),
)

collections = Table(
    "collections",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("owner_id", Text),
    Column("name", Text),
    Column("description", Text),
    Column("cover_track_id", Text),
    Column("cover_image_url", Text),
    Column("track_count", Integer),
    Column("version", BigInteger),
    Column("created_at", MOMENT),
    Column("updated_at", MOMENT),
    Column("deleted_at", MOMENT),
)

collection_tracks = Table(
    "collection_tracks",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("owner_id", Text, primary_key=True),
    Column("collection_id", Text, primary_key=True),
    Column("track_id", Text, primary_key=True),
    Column("rank", BigInteger),
    Column("added_at", MOMENT),
)
