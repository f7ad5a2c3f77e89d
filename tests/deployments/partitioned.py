"""Tables partitioned by organization, as on a distributed PostgreSQL."""

from __future__ import annotations

import importlib
import pkgutil

from sqlalchemy import MetaData, text

import models
from models.base import metadata
from models.db import engines, schema_version
from models.db.distribute import DISTRIBUTION_COLUMN, declared

PARTITIONS = 4

for module in pkgutil.iter_modules(models.__path__):
    importlib.import_module(f"models.{module.name}")  # registers every table in the metadata


DISTRIBUTED = {name for name, kind in declared(metadata).items() if kind == "distributed"}


def create_tables(url: str) -> None:
    """Creates the newest tables, hash-partitioned by organization; PostgreSQL rejects keys without that column."""
    tables = MetaData()
    for table in metadata.tables.values():
        copy = table.to_metadata(tables)
        if table.name in DISTRIBUTED:
            copy.dialect_options["postgresql"]["partition_by"] = f"HASH ({DISTRIBUTION_COLUMN})"
    engine = engines.create_unpooled(url, wait_seconds=5)
    with engine.begin() as connection:
        tables.create_all(connection)
        for name in DISTRIBUTED:
            for part in range(PARTITIONS):
                values = f"FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {part})"
                connection.exec_driver_sql(f"CREATE TABLE {name}_{part} PARTITION OF {name} {values}")
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": schema_version.head()})
    engine.dispose()
