"""Opens or migrates the database for a command; a failure becomes a CommandError with one sentence."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, column, func, make_url, select, table, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from models import revocation
from models.db import connection, engines
from models.db.database import Database
from models.exceptions import Unavailable
from ops.errors import CommandError

PING = text("SELECT 1")
CURRENT = select(func.lower(column("name")).label("name"), column("setting")).select_from(table("pg_settings"))
SETTINGS = text(
    "SELECT lower(name) AS name, setting,"
    " format('ALTER ROLE %I IN DATABASE %I SET ', current_user, current_database()) AS remedy FROM pg_settings"
)


@contextmanager
def open_database(url: str, *, prepared_statements: bool = True, key_cache_seconds: float = 0.25) -> Iterator[Database]:
    """Opens an existing database with the current schema, for the queries inside. Raises CommandError.

    `key_cache_seconds`: the lifetime of cached API keys in servers, which a change of a key waits for.
    """
    revocation.key_cache_seconds.set(key_cache_seconds)
    parsed = _parse_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        # SQLite would create an empty file for a mistyped name.
        raise CommandError(f"There is no database {parsed.database}: run `music-studio migrate` first.")
    with Database(url, pool_size=2, prepared_statements=prepared_statements) as database:
        with explain_errors(url):
            connection.fetch_one(PING)
            _require_session_settings(database)
        _require_schema(database)
        yield database


def require_usable(url: str, *, prepared_statements: bool = True) -> None:
    """Raises CommandError unless a server can use the database; asks with the driver that a server has.

    What is wrong is said as by `open_database`, which needs another driver for PostgreSQL.
    """
    parsed = _parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        with suppress(Unavailable, DBAPIError):
            if asyncio.run(_is_usable(url, prepared_statements=prepared_statements)):
                return
    with open_database(url, prepared_statements=prepared_statements):
        return


async def _is_usable(url: str, *, prepared_statements: bool) -> bool:
    """Whether the database is usable; False without a driver for the event loop. Raises Unavailable, DBAPIError."""
    database = Database(url, pool_size=1, prepared_statements=prepared_statements)
    try:
        return database.has_loop_driver and await database.call(_has_settings_and_schema, database, writes=False)
    finally:
        database.close()


def _has_settings_and_schema(database: Database) -> bool:
    current = {row.name: row.setting for row in connection.fetch_all(CURRENT)}
    database.require_schema()
    return all(current[name] == value for name, value in engines.session_settings())


def migrate_database(url: str) -> None:
    """Creates the database if it is new, and upgrades its schema. Raises CommandError."""
    from models.db import migrate  # imports Alembic, which a server does not need

    _parse_url(url)
    with explain_errors(url):
        try:
            migrate.upgrade(url)
        except migrate.UnknownRevision as error:
            raise CommandError("The database was made by a newer version of Music Studio.") from error


def folder(url: str, otherwise: Path) -> Path:
    """The folder of an SQLite file; `otherwise` for PostgreSQL."""
    parsed = _parse_url(url)
    return Path(str(parsed.database)).parent if parsed.get_backend_name() == "sqlite" else otherwise


def _parse_url(url: str) -> URL:
    try:
        return engines.parse_url(url)
    except (ArgumentError, ValueError) as error:
        raise CommandError("The database address must be sqlite:///FILE or postgresql://USER@HOST/NAME.") from error


def _require_session_settings(database: Database) -> None:
    """Raises CommandError if a session lacks the service's settings, as behind a pooler without the role's."""
    if not database.is_postgres:
        return
    current = {row.name: row for row in connection.fetch_all(SETTINGS)}
    missing = {name: value for name, value in engines.session_settings() if current[name].setting != value}
    if missing:
        statements = (f"  {current[name].remedy}{name} = '{value}';" for name, value in missing.items())
        raise CommandError(
            "Database sessions lack their settings. Run this, then RECONNECT in the pooler:", *statements
        )


def _require_schema(database: Database) -> None:
    try:
        database.require_schema()
    except Unavailable as reason:
        raise CommandError(f"{reason.system_message}: run `music-studio migrate` first.") from reason


@contextmanager
def explain_errors(url: str) -> Iterator[None]:
    """Turns a failure of the database into a CommandError that names it."""
    try:
        yield
    except (Unavailable, DBAPIError) as error:
        raise CommandError(f"The database {_place(url)} cannot be used: {cause(error)}.") from error


def _place(url: str) -> str:
    """Host and name of the database, or its file: nothing that opens it."""
    parsed = make_url(url)
    place = URL.create(parsed.get_backend_name(), host=parsed.host, port=parsed.port, database=parsed.database)
    return place.render_as_string()


def cause(error: Exception) -> str:
    """The first line of the driver's message, without a full stop."""
    driver_error = error if isinstance(error, DBAPIError) else error.__cause__
    message = str(driver_error.orig) if isinstance(driver_error, DBAPIError) else str(error)
    hint = "; behind a pooler, set MUSIC_STUDIO_PREPARED_STATEMENTS=off" if "startup parameter" in message else ""
    return message.strip().split("\n", maxsplit=1)[0].rstrip(".") + hint
