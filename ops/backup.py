"""Backup of a SQLite database in use."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy.exc import ArgumentError

from models.audio import StoredAudio
from models.db import engines
from models.track_audio import TrackAudio
from ops.errors import CommandError

# Called with the number of copied pages and the total number.
Progress = Callable[[int, int], None]
PAGES_AT_ONCE = 1000
LIVE_AUDIO = (
    "SELECT organization_id, id, audio_name, audio_bytes, mime_type FROM tracks"
    " WHERE audio_name IS NOT NULL AND deleted_at IS NULL ORDER BY organization_id, audio_name"
)
WAIT_SECONDS = 5.0


def save(url: str, file: Path, progress: Progress) -> None:
    """Writes a consistent snapshot of the database to a new file with mode 0600. Raises CommandError."""
    source = sqlite_file(url, "pg_dump --format=custom --file=FILE DATABASE")
    if not source.exists():
        raise CommandError(f"There is no database {source}: name another one with --database-url.")
    if file.exists():
        raise CommandError(f"There is already a file {file}: name another one.")
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        _copy(source, part, progress)
        # A rename would overwrite a file that was created meanwhile, so the file is created exclusively first.
        create(file)
        part.replace(file)
    except FileExistsError:
        raise CommandError(f"There is already a file {file}: name another one.") from None
    except sqlite3.Error as error:
        raise CommandError(f"The database {source} cannot be copied: {error}.") from error
    finally:
        part.unlink(missing_ok=True)


def live_audio(file: Path) -> list[TrackAudio]:
    """The audio that the tracks of a backup name, but for deleted ones. Raises CommandError."""
    try:
        with open_file(file, read_only=True) as copy:
            return [TrackAudio(row[0], row[1], StoredAudio(*row[2:])) for row in copy.execute(LIVE_AUDIO)]
    except sqlite3.Error as error:
        raise CommandError(f"The audio of {file} cannot be listed: {error}.") from error


def integrity_errors(connection: sqlite3.Connection) -> list[str]:
    """Errors in pages and indexes, and foreign keys without a row; empty if the database is intact."""
    errors = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    dangling = [f"a row of {row[0]} refers to a missing row" for row in connection.execute("PRAGMA foreign_key_check")]
    return [line for line in errors if line != "ok"] + dangling


def sqlite_file(url: str, postgres_command: str) -> Path:
    """The file of a SQLite database. Raises CommandError, which names the command for PostgreSQL."""
    try:
        parsed = engines.parse_url(url)
    except (ArgumentError, ValueError) as error:
        raise CommandError("The database address must be sqlite:///FILE or postgresql://USER@HOST/NAME.") from error
    if parsed.get_backend_name() != "sqlite":
        raise CommandError(f"This command is for SQLite; for PostgreSQL run `{postgres_command}`.")
    return Path(str(parsed.database))


def _copy(source: Path, part: Path, progress: Progress) -> None:
    create(part)
    with open_file(source) as reader, open_file(part) as writer:
        # A read transaction gives one snapshot; without it, each write of a running server would restart the copy.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        reader.backup(writer, pages=PAGES_AT_ONCE, progress=callback(progress))
        # Without a write-ahead log the copy is one file; a server that opens it switches the log on again.
        writer.execute("PRAGMA journal_mode = DELETE").fetchall()
        if errors := integrity_errors(writer):
            raise sqlite3.DatabaseError(f"its copy is damaged, {errors[0]}")
    with part.open("rb") as copy:
        os.fsync(copy.fileno())


def create(file: Path) -> None:
    """Creates an empty file, mode 0600. Raises FileExistsError."""
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


@contextmanager
def open_file(file: Path, *, read_only: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection in autocommit mode, closed afterwards. Raises sqlite3.Error."""
    uri = f"{file.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=WAIT_SECONDS)) as connection:
        yield connection


def callback(progress: Progress) -> Callable[[int, int, int], None]:
    """The callback of sqlite3's backup that reports progress."""

    def report(_status: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    return report
