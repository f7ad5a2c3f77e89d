"""Backup of a SQLite database in use, and restore."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy.exc import ArgumentError

from models.db import engines, schema_version
from ops.errors import CommandError

# Called with the number of copied pages and the total number.
Progress = Callable[[int, int], None]
PAGES_AT_ONCE = 1000
WAIT_SECONDS = 5.0


def save(url: str, file: Path, progress: Progress) -> None:
    """Writes a consistent snapshot of the database to a new file with mode 0600. Raises CommandError."""
    source = _sqlite_file(url, "pg_dump --format=custom --file=FILE DATABASE")
    if not source.exists():
        raise CommandError(f"There is no database {source}: name another one with --database-url.")
    if file.exists():
        raise CommandError(f"There is already a file {file}: name another one.")
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        _copy(source, part, progress)
        # A rename would overwrite a file that was created meanwhile, so the file is created exclusively first.
        _create(file)
        part.replace(file)
    except FileExistsError:
        raise CommandError(f"There is already a file {file}: name another one.") from None
    except sqlite3.Error as error:
        raise CommandError(f"The database {source} cannot be copied: {error}.") from error
    finally:
        part.unlink(missing_ok=True)


def restore(file: Path, url: str, progress: Progress, *, force: bool = False) -> None:
    """Replaces the database with a backup. Raises CommandError if it is in use, or contains data without `force`.

    The restore is atomic, even if the machine stops meanwhile.
    """
    target = _sqlite_file(url, "pg_restore --clean --if-exists --dbname=DATABASE FILE")
    _require_backup(file)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _open(target) as destination, _open(file, read_only=True) as source:
            _require_unused(destination, target)
            if not force and _contains_data(destination):
                raise CommandError(f"The database {target} contains data: add --force to replace it.")
            source.backup(destination, pages=PAGES_AT_ONCE, progress=_callback(progress))
    except sqlite3.Error as error:
        raise CommandError(f"The database {target} cannot be written: {error}.") from error


def integrity_errors(connection: sqlite3.Connection) -> list[str]:
    """Errors in pages and indexes, and foreign keys without a row; empty if the database is intact."""
    errors = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    dangling = [f"a row of {row[0]} refers to a missing row" for row in connection.execute("PRAGMA foreign_key_check")]
    return [line for line in errors if line != "ok"] + dangling


def _sqlite_file(url: str, postgres_command: str) -> Path:
    try:
        parsed = engines.parse_url(url)
    except (ArgumentError, ValueError) as error:
        raise CommandError("The database address must be sqlite:///FILE or postgresql://USER@HOST/NAME.") from error
    if parsed.get_backend_name() != "sqlite":
        raise CommandError(f"This command is for SQLite; for PostgreSQL run `{postgres_command}`.")
    return Path(str(parsed.database))


def _copy(source: Path, part: Path, progress: Progress) -> None:
    _create(part)
    with _open(source) as reader, _open(part) as writer:
        # A read transaction gives one snapshot; without it, each write of a running server would restart the copy.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        reader.backup(writer, pages=PAGES_AT_ONCE, progress=_callback(progress))
        # Without a write-ahead log the copy is one file; a server that opens it switches the log on again.
        writer.execute("PRAGMA journal_mode = DELETE").fetchall()
        if errors := integrity_errors(writer):
            raise sqlite3.DatabaseError(f"its copy is damaged, {errors[0]}")
    with part.open("rb") as copy:
        os.fsync(copy.fileno())


def _create(file: Path) -> None:
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _require_backup(file: Path) -> None:
    if not file.is_file():
        raise CommandError(f"There is no file {file}: name a file that `music-studio backup` has written.")
    try:
        with _open(file, read_only=True) as backup:
            schema = backup.execute("SELECT version_num FROM alembic_version").fetchone()
            errors = integrity_errors(backup)
    except sqlite3.Error as error:
        raise CommandError(f"The file {file} is no backup of Music Studio: name another one.") from error
    if schema is None or errors:
        raise CommandError(f"The file {file} is an incomplete or damaged backup of Music Studio: name another one.")
    if schema[0] > schema_version.head():
        raise CommandError(f"The backup {file} was made by a newer version of Music Studio: update this one first.")


def _require_unused(destination: sqlite3.Connection, target: Path) -> None:
    # Only the single process that has the file open can switch off the write-ahead log.
    with contextlib.suppress(sqlite3.OperationalError):
        if destination.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",):
            return
    raise CommandError(f"The database {target} is in use: stop the server first.")


def _contains_data(destination: sqlite3.Connection) -> bool:
    names = [row[0] for row in destination.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    tables = [name for name in names if name != "alembic_version"]
    return any(destination.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone() for name in tables)  # noqa: S608


@contextmanager
def _open(file: Path, *, read_only: bool = False) -> Iterator[sqlite3.Connection]:
    uri = f"{file.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=WAIT_SECONDS)) as connection:
        yield connection


def _callback(progress: Progress) -> Callable[[int, int, int], None]:
    def callback(_status: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    return callback
