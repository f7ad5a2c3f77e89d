"""The schema's history: bring a database to a revision, one runner at a time."""

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
# Any number will do, as long as every runner uses the same.
_ADVISORY_LOCK = 4_951_707_223_316_402_176


class UnknownRevision(Exception):
    """The schema is of a version that is newer than this program."""


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the schema up to a revision; safe to call from several processes at once.

    A missing SQLite file is made, with its folder. Raises Unavailable, UnknownRevision.
    """
    _make_folder(url)
    with _runner(url) as connection:
        try:
            command.upgrade(_config(connection), revision)
        except CommandError as problem:
            raise UnknownRevision(str(problem)) from problem


def downgrade(url: str, revision: str) -> None:
    """Take the schema back to a revision, with the loss of what only the newer one can hold; raises Unavailable."""
    with _runner(url) as connection:
        command.downgrade(_config(connection), revision)


def draft(url: str, message: str) -> None:
    """Write a new migration file: the difference between the tables in `models` and an upgraded database."""
    with _runner(url) as connection:
        command.revision(_config(connection), message, autogenerate=True, rev_id=f"{int(head()) + 1:04}")


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _make_folder(url: str) -> None:
    found = engines.parse_url(url)
    if found.get_backend_name() == "sqlite" and found.database is not None and not engines.is_in_memory(url):
        Path(found.database).parent.mkdir(parents=True, exist_ok=True)


@contextmanager
def _runner(url: str) -> Iterator[Connection]:
    engine = engines.create_unpooled(url, wait_seconds=WAIT_SECONDS)
    turn = _sqlite_turn if engine.dialect.name == "sqlite" else _postgres_turn
    with driver_errors.translate_errors(), engine.connect() as connection, turn(engine, connection):
        yield connection
        connection.commit()


@contextmanager
def _sqlite_turn(_engine: Engine, connection: Connection) -> Iterator[None]:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    yield


@contextmanager
def _postgres_turn(engine: Engine, connection: Connection) -> Iterator[None]:
    """Holds a lock for as long as the migrations take, in a transaction of its own, and limits theirs.

    Nothing is left behind in a session: behind a pooler it is the next one's too.
    """
    with engine.begin() as holder:
        _limit(holder, lock_timeout=f"{WAIT_SECONDS}s")
        holder.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        # A migration that waits for a table makes every later reader wait behind it.
        event.listen(connection, "begin", lambda begun: _limit(begun, lock_timeout="2s"))
        yield


def _limit(connection: Connection, lock_timeout: str) -> None:
    """Until the transaction ends. A role may have the limits of the service, under which no migration could run."""
    limits = {"lock_timeout": lock_timeout, "statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
    chosen = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in limits.items())
    connection.exec_driver_sql(f"SELECT {chosen}")
