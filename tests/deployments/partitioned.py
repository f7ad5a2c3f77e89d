"""Tables partitioned by organization, as on a distributed PostgreSQL."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

from sqlalchemy import MetaData, text

import models
from models.base import metadata
from models.db import engines, schema_version

PARTITION_COLUMN = "organization_id"
PARTITIONS = 4
MANUAL = Path(__file__).parents[2] / "docs" / "operating.md"

for module in pkgutil.iter_modules(models.__path__):
    importlib.import_module(f"models.{module.name}")  # registers every table in the metadata


def documented_tables(kind: str) -> dict[str, str]:
    """Tables of one kind (`reference` or `distributed`) in docs/operating.md, each with the text after its name."""
    return dict(re.findall(rf"SELECT create_{kind}_table\('(\w+)'(.*)", MANUAL.read_text(encoding="utf-8")))


def create_tables(url: str) -> None:
    """Creates the newest tables, hash-partitioned by organization; PostgreSQL rejects keys without that column."""
    distributed, tables = documented_tables("distributed"), MetaData()
    for table in metadata.tables.values():
        copy = table.to_metadata(tables)
        if table.name in distributed:
            copy.dialect_options["postgresql"]["partition_by"] = f"HASH ({PARTITION_COLUMN})"
    engine = engines.create_unpooled(url, wait_seconds=5)
    with engine.begin() as connection:
        tables.create_all(connection)
        for name in distributed:
            for part in range(PARTITIONS):
                values = f"FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {part})"
                connection.exec_driver_sql(f"CREATE TABLE {name}_{part} PARTITION OF {name} {values}")
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": schema_version.head()})
    engine.dispose()
