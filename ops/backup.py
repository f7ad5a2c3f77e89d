"""Backup of a SQLite database while it is in use, and its restore."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy.exc import ArgumentError

from models.db import engines, schema_version
from ops.errors import CommandError

# Receives the number of copied pages and the total.
Progress = Callable[[int, int], None]
PAGES_AT_ONCE = 1000
WAIT_SECONDS = 5.0


def save(url: str, file: Path, progress: Progress) -> None:
    """Write the database at one moment to a new file that only its owner can read. Raises CommandError."""
    source = _sqlite_file(url, "pg_dump --format=custom --file=FILE DATABASE")
    if not source.exists():
        raise CommandError(f"There is no database {source}: name another one with --database-url.")
    if file.exists():
        raise CommandError(f"There is already a file {file}: name another one.")
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        _copy(source, part, progress)
        # A rename would replace a file that was created meanwhile, so the name is taken first.
        _create(file)
        part.replace(file)
    except FileExistsError:
        raise CommandError(f"There is already a file {file}: name another one.") from None
    except sqlite3.Error as problem:
        raise CommandError(f"The database {source} cannot be copied: {problem}.") from problem
    finally:
        part.unlink(missing_ok=True)


def restore(file: Path, url: str, progress: Progress, *, force: bool = False) -> None:
    """Replace the database with a backup. Raises CommandError for one in use, or with data and without `force`.

    All of it takes effect or nothing does, even if the machine stops half-way.
    """
    target = _sqlite_file(url, "pg_restore --clean --if-exists --dbname=DATABASE FILE")
    _require_backup(file)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _opened(target) as destination, _opened(file, read_only=True) as source:
            _require_unused(destination, target)
            if not force and _holds_data(destination):
                raise CommandError(f"The database {target} holds data: add --force to replace it.")
            source.backup(destination, pages=PAGES_AT_ONCE, progress=_callback(progress))
    except sqlite3.Error as problem:
        raise CommandError(f"The database {target} cannot be written: {problem}.") from problem


def flaws(connection: sqlite3.Connection) -> list[str]:
    """The damage of a database: of its pages and indexes, and references to rows that do not exist."""
    damage = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    strays = [f"a row of {row[0]} refers to a missing row" for row in connection.execute("PRAGMA foreign_key_check")]
    return [line for line in damage if line != "ok"] + strays


def _sqlite_file(url: str, instead: str) -> Path:
    try:
        place = engines.parse_url(url)
    except (ArgumentError, ValueError) as problem:
        raise CommandError("The database address must be sqlite:///FILE or postgresql://USER@HOST/NAME.") from problem
    if place.get_backend_name() != "sqlite":
        raise CommandError(f"This command is for SQLite; for PostgreSQL run `{instead}`.")
    return Path(str(place.database))


def _copy(source: Path, part: Path, progress: Progress) -> None:
    _create(part)
    with _opened(source) as reader, _opened(part) as writer:
        # An open read transaction fixes the moment: without it, each write of a running server would restart the copy.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        reader.backup(writer, pages=PAGES_AT_ONCE, progress=_callback(progress))
        # The copy is one file; a server that opens it switches back to a write-ahead log.
        writer.execute("PRAGMA journal_mode = DELETE").fetchall()
        if found := flaws(writer):
            raise sqlite3.DatabaseError(f"its copy is damaged, {found[0]}")
    with part.open("rb") as written:
        os.fsync(written.fileno())


def _create(file: Path) -> None:
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _require_backup(file: Path) -> None:
    if not file.is_file():
        raise CommandError(f"There is no file {file}: name a file that `music-studio backup` has written.")
    try:
        with _opened(file, read_only=True) as found:
            schema = found.execute("SELECT version_num FROM alembic_version").fetchone()
            broken = flaws(found)
    except sqlite3.Error as problem:
        raise CommandError(f"The file {file} is no backup of Music Studio: name another one.") from problem
    if schema is None or broken:
        raise CommandError(f"The file {file} is an incomplete or damaged backup of Music Studio: name another one.")
    if schema[0] > schema_version.head():
        raise CommandError(f"The backup {file} was made by a newer version of Music Studio: update this one first.")


def _require_unused(destination: sqlite3.Connection, target: Path) -> None:
    # Only a process that alone has the file open can leave the write-ahead log.
    with contextlib.suppress(sqlite3.OperationalError):
        if destination.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",):
            return
    raise CommandError(f"The database {target} is in use: stop the server first.")


def _holds_data(destination: sqlite3.Connection) -> bool:
    names = [row[0] for row in destination.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    mine = [name for name in names if name != "alembic_version"]
    return any(destination.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone() for name in mine)  # noqa: S608


@contextmanager
def _opened(file: Path, *, read_only: bool = False) -> Iterator[sqlite3.Connection]:
    where = f"{file.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    with closing(sqlite3.connect(where, uri=True, isolation_level=None, timeout=WAIT_SECONDS)) as connection:
        yield connection


def _callback(progress: Progress) -> Callable[[int, int, int], None]:
    def callback(_status: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    return callback
