"""Migrations: upgrade or downgrade the schema with Alembic, one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, event

from models.db import driver_errors, engines
from models.db.schema_version import FOLDER, head

WAIT_SECONDS = 60
# An arbitrary number, the same for every process.
_ADVISORY_LOCK = 4_951_707_223_316_402_176


class UnknownRevision(Exception):
    """The database has a revision that this version of the service does not know."""


def upgrade(url: str, revision: str = "head") -> None:
    """Upgrades the schema to a revision; several processes may call it at the same time.

    Creates a missing SQLite file and its folder. Raises Unavailable, UnknownRevision.
    """
    _make_folder(url)
    with locked_connection(url) as connection:
        try:
            command.upgrade(_config(connection), revision)
        except CommandError as error:
            raise UnknownRevision(str(error)) from error


def downgrade(url: str, revision: str) -> None:
    """Downgrades the schema to a revision; data that only the newer schema has is lost. Raises Unavailable."""
    with locked_connection(url) as connection:
        command.downgrade(_config(connection), revision)


def draft(url: str, message: str) -> None:
    """Writes a new migration file with the difference between models.schema and an upgraded database."""
    with locked_connection(url) as connection:
        command.revision(_config(connection), message, autogenerate=True, rev_id=f"{int(head()) + 1:04}")


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _make_folder(url: str) -> None:
    parsed = engines.parse_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database is not None and not engines.is_in_memory(url):
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)


@contextmanager
def locked_connection(url: str) -> Iterator[Connection]:
    """A connection to change the schema with, while no other process does; commits at the end. Raises Unavailable."""
    engine = engines.create_unpooled(url, wait_seconds=WAIT_SECONDS)
    lock = _sqlite_lock if engine.dialect.name == "sqlite" else _postgres_lock
    with driver_errors.translate_errors(), engine.connect() as connection, lock(engine, connection):
        yield connection
        if engine.dialect.name == "sqlite":
            _require_intact_references(connection)
        connection.commit()


@contextmanager
def _sqlite_lock(_engine: Engine, connection: Connection) -> Iterator[None]:
    # SQLite changes a column by a new table, and with foreign keys on the old one could not be dropped
    # (https://sqlite.org/lang_altertable.html, section 7). They are checked before the commit instead.
    connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    yield


def _require_intact_references(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise RuntimeError(f"After the migration, {len(broken)} rows would refer to rows that do not exist.")


@contextmanager
def _postgres_lock(engine: Engine, connection: Connection) -> Iterator[None]:
    """Holds an advisory lock during the migrations, in a separate transaction, and sets their lock timeout.

    Settings end with their transaction: behind a pooler, sessions are shared.
    """
    with engine.begin() as holder:
        _limit(holder, lock_timeout=f"{WAIT_SECONDS}s")
        holder.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        # While a migration waits for the lock of a table, all later readers wait behind it.
        event.listen(connection, "begin", lambda begun: _limit(begun, lock_timeout="2s"))
        yield


def _limit(connection: Connection, lock_timeout: str) -> None:
    """Sets the timeouts of the transaction; those of the role may be too short for a migration."""
    limits = {"lock_timeout": lock_timeout, "statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
    settings = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in limits.items())
    connection.exec_driver_sql(f"SELECT {settings}")
