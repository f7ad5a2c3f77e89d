"""The tables as a distributed PostgreSQL keeps them, each organization in one of several parts."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

from sqlalchemy import MetaData, text

import models
from models.base import metadata
from models.db import engines, schema_version

BY = "organization_id"
PARTS = 4
PAPER = Path(__file__).parents[2] / "docs" / "operating.md"

for module in pkgutil.iter_modules(models.__path__):
    importlib.import_module(f"models.{module.name}")  # so that every table is known


def placed(kind: str) -> dict[str, str]:
    """The tables that docs/operating.md places so (`reference` or `distributed`), each with what follows its name."""
    return dict(re.findall(rf"SELECT create_{kind}_table\('(\w+)'(.*)", PAPER.read_text(encoding="utf-8")))


def make_tables(url: str) -> None:
    """The newest tables, some in parts by a hash of the organization; PostgreSQL refuses a key that does not fit."""
    spread, tables = placed("distributed"), MetaData()
    for table in metadata.tables.values():
        copy = table.to_metadata(tables)
        if table.name in spread:
            copy.dialect_options["postgresql"]["partition_by"] = f"HASH ({BY})"
    engine = engines.create_unpooled(url, wait_seconds=5)
    with engine.begin() as connection:
        tables.create_all(connection)
        for name in spread:
            for part in range(PARTS):
                values = f"FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part})"
                connection.exec_driver_sql(f"CREATE TABLE {name}_{part} PARTITION OF {name} {values}")
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": schema_version.head()})
    engine.dispose()
