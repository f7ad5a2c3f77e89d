"""Opens the database for a command, and says in one sentence why it cannot."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from models import revocation
from models.db import connection, engines
from models.db.database import Database
from models.exceptions import Unavailable
from ops.errors import CommandError
from ops.output import without_password

ANYTHING = text("SELECT 1")
SETTINGS = text(
    "SELECT lower(name) AS name, setting,"
    " format('ALTER ROLE %I IN DATABASE %I SET ', current_user, current_database()) AS remedy FROM pg_settings"
)


@contextmanager
def open_database(url: str, *, prepared_statements: bool = True, key_cache_seconds: float = 0.25) -> Iterator[Database]:
    """Opens a database that is there and has the newest tables, for the queries inside. Raises CommandError.

    `key_cache_seconds`: how long servers may use a cached API key, so how long a change of a key waits.
    """
    revocation.key_cache_seconds.set(key_cache_seconds)
    place = _place(url)
    if place.get_backend_name() == "sqlite" and not Path(str(place.database)).exists():
        # SQLite would make an empty file of a mistyped name.
        raise CommandError(f"There is no database {place.database}: run `music-studio migrate` first.")
    with Database(url, pool_size=2, prepared_statements=prepared_statements) as database:
        with _explained(url):
            connection.fetch_one(ANYTHING)
            _require_limits(database)
        _require_newest_tables(database)
        yield database


def migrate_database(url: str) -> None:
    """Make the database when it is new, and bring its tables up to date. Raises CommandError."""
    from models.db import migrate  # and with it Alembic, which is nothing for a server that only serves

    _place(url)
    with _explained(url):
        try:
            migrate.upgrade(url)
        except migrate.UnknownRevision as problem:
            raise CommandError("The database was made by a newer version of Music Studio.") from problem


def folder(url: str, otherwise: Path) -> Path:
    """Where an SQLite file lies; `otherwise` for a database that is no file."""
    place = _place(url)
    return Path(str(place.database)).parent if place.get_backend_name() == "sqlite" else otherwise


def _place(url: str) -> URL:
    try:
        return engines.parse_url(url)
    except (ArgumentError, ValueError) as problem:
        raise CommandError("The database address must be sqlite:///FILE or postgresql://USER@HOST/NAME.") from problem


def _require_limits(database: Database) -> None:
    """A pooler gives connections that somebody else has opened, without what the server asks for."""
    if not database.is_postgres:
        return
    found = {row.name: row for row in connection.fetch_all(SETTINGS)}
    missing = {name: value for name, value in engines.session_settings() if found[name].setting != value}
    if missing:
        orders = "".join(f"\n  {found[name].remedy}{name} = '{value}';" for name, value in missing.items())
        raise CommandError(f"Connections come without their limits. Run this, then RECONNECT in the pooler:{orders}")


def _require_newest_tables(database: Database) -> None:
    try:
        database.require_schema()
    except Unavailable as reason:
        raise CommandError(f"{reason.system_message}: run `music-studio migrate` first.") from reason


@contextmanager
def _explained(url: str) -> Iterator[None]:
    try:
        yield
    except (Unavailable, DBAPIError) as problem:
        raise CommandError(f"The database {without_password(url)} cannot be used: {_cause(problem)}.") from problem


def _cause(problem: Exception) -> str:
    driver = problem if isinstance(problem, DBAPIError) else problem.__cause__
    words = str(driver.orig) if isinstance(driver, DBAPIError) else str(problem)
    hint = "; behind a pooler, set MUSIC_STUDIO_PREPARED_STATEMENTS=off" if "startup parameter" in words else ""
    return words.strip().split("\n", maxsplit=1)[0].rstrip(".") + hint
