"""Restore of a SQLite database: a copy of the backup is verified, migrated and proved, and then swapped in.

Until the swap the old database is not touched. The swap is one transaction of SQLite: if it is killed, the journal
brings back the old database. Decision 63.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy.exc import DBAPIError

from models.db import migrate, schema_version
from models.db.database import Database
from models.exceptions import Unavailable
from models.keys import Actor
from models.revocation import key_cache_seconds
from models.shares import OwnedLink
from ops import after_restore
from ops.after_restore import LostHistory, Result
from ops.backup import PAGES_AT_ONCE, Progress, callback, create, integrity_errors, open_file, sqlite_file
from ops.database_setup import cause
from ops.errors import CommandError

# Errors of SQLite that are those of the file: no such table, damaged, no database.
OF_ANOTHER_KIND = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
POSTGRES = "pg_restore --clean --if-exists --dbname=DATABASE FILE` and then `music-studio after-restore"


def restore(
    file: Path, url: str, progress: Progress, by: Actor, *, force: bool = False, since: datetime | None = None
) -> Result:
    """Replaces the database with a backup, with new versions; `since` withdraws keys that were revoked since then.

    Raises CommandError for a file that is no intact backup, and if the database is in use, or contains data without
    `force`.
    """
    target = sqlite_file(url, POSTGRES)
    _require_other_file(file, target)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lost = _lost_history(target, force=force)
    if since is not None and lost.events is None:
        raise CommandError(
            f"The database {target} has no key log: restore without --revoke-since, and then run "
            "`music-studio after-restore` with --key-log."
        )
    with TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        copy = Path(folder) / "restored.db"
        _copy_backup(file, copy, progress)
        result = _finish(copy, lost, since, by)
        _swap(copy, target, progress)
    return result


def _require_other_file(file: Path, target: Path) -> None:
    if not file.is_file():
        raise CommandError(f"There is no file {file}: name a file that `music-studio backup` has written.")
    if target.exists() and target.samefile(file):
        raise CommandError(f"The file {file} is the database itself: name a backup.")


def _lost_history(target: Path, *, force: bool) -> LostHistory:
    """What the database that is replaced knows. Raises CommandError if it is in use, or contains data without force."""
    if not target.exists() or not target.stat().st_size:
        return LostHistory()
    try:
        with open_file(target) as replaced:
            _require_unused(replaced, target)
            if not force and _contains_data(replaced):
                raise CommandError(f"The database {target} contains data: add --force to replace it.")
            return _read_history(replaced)
    except sqlite3.Error as error:
        raise CommandError(f"The database {target} cannot be read ({error}): move the file away first.") from error


def _read_history(replaced: sqlite3.Connection) -> LostHistory:
    try:
        events = replaced.execute("SELECT key_id, event, happened_at FROM key_events").fetchall()
        [(highest,)] = replaced.execute("SELECT max(version) FROM collections")
        return LostHistory([after_restore.event(*event) for event in events], highest or 0, _revoked_links(replaced))
    except (sqlite3.Error, ValueError, TypeError):  # damaged, or without these tables
        return LostHistory()


def _revoked_links(replaced: sqlite3.Connection) -> list[OwnedLink]:
    try:
        return replaced.execute(
            "SELECT organization_id, user_id, id FROM share_links WHERE revoked_at IS NOT NULL"
        ).fetchall()
    except sqlite3.OperationalError:  # of a version without share links
        return []


def _copy_backup(file: Path, copy: Path, progress: Progress) -> None:
    create(copy)
    try:
        with open_file(file, read_only=True) as source, open_file(copy) as destination:
            source.backup(destination, pages=PAGES_AT_ONCE, progress=callback(_half(progress, second=False)))
            _require_known_revision(destination, file)
            destination.execute("PRAGMA journal_mode = DELETE").fetchall()
            if errors := integrity_errors(destination):
                raise CommandError(
                    f"The file {file} is a damaged backup of Music Studio ({errors[0]}): name another one."
                )
    except UnicodeDecodeError as error:  # SQLite quotes the damaged text in its error
        raise _no_backup(file) from error
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF in OF_ANOTHER_KIND:  # the low byte is the primary result code
            raise _no_backup(file) from error
        raise CommandError(f"The file {file} cannot be copied to {copy.parent.parent}: {error}.") from error


def _require_known_revision(copy: sqlite3.Connection, file: Path) -> None:
    rows = copy.execute("SELECT version_num FROM alembic_version").fetchall()
    revision = rows[0][0] if len(rows) == 1 else None
    if revision in schema_version.revisions():
        return
    if isinstance(revision, str) and revision.isdecimal() and revision > schema_version.head():
        raise CommandError(f"The backup {file} was made by a newer version of Music Studio: update this one first.")
    raise _no_backup(file)


def _finish(copy: Path, lost: LostHistory, since: datetime | None, by: Actor) -> Result:
    """Migrates the copy, compares it with a new database, and gives it a new history."""
    url, fresh = f"sqlite:///{copy}", copy.with_name("fresh.db")
    try:
        migrate.upgrade(url)
        migrate.upgrade(f"sqlite:///{fresh}")
        _require_same_tables(copy, fresh)
        with Database(url, pool_size=1), _no_key_caches():
            result = after_restore.finish(url, lost, since, by)
    except (DBAPIError, Unavailable, migrate.UnknownRevision) as error:
        raise CommandError(
            f"The backup cannot be brought to the tables of this version ({cause(error)}): nothing was replaced."
        ) from error
    with open_file(copy) as proved:
        proved.execute("PRAGMA journal_mode = DELETE").fetchall()
        if errors := integrity_errors(proved):
            raise CommandError(f"The restored copy is damaged ({errors[0]}): nothing was replaced.")
    return result


@contextmanager
def _no_key_caches() -> Iterator[None]:
    """No server reads the copy, so the change of a key waits for no cache."""
    token = key_cache_seconds.set(0.0)
    try:
        yield
    finally:
        key_cache_seconds.reset(token)


def _require_same_tables(copy: Path, fresh: Path) -> None:
    with open_file(copy) as restored, open_file(fresh) as expected:
        found, wanted = dict(_tables(restored)), dict(_tables(expected))
    for name, table in wanted.items():
        if found.get(name) != table:
            raise CommandError(f"The backup has no table {name} as Music Studio makes it: name another one.")


def _tables(connection: sqlite3.Connection) -> Iterator[tuple[str, Any]]:
    """Name, kind, strictness, columns, foreign keys and unique indexes of each table and view."""
    for _, name, kind, *_, strict in connection.execute("PRAGMA main.table_list").fetchall():
        columns = connection.execute('SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?)', (name,))
        foreign = connection.execute('SELECT "table", "from", "to" FROM pragma_foreign_key_list(?)', (name,))
        unique = connection.execute('SELECT name FROM pragma_index_list(?) WHERE "unique"', (name,))
        yield name, (kind, strict, sorted(columns, key=repr), sorted(foreign, key=repr), sorted(unique, key=repr))


def _swap(copy: Path, target: Path, progress: Progress) -> None:
    with suppress(FileExistsError):
        create(target)
    try:
        with open_file(copy, read_only=True) as source, open_file(target) as destination:
            _require_unused(destination, target)
            source.backup(destination, pages=PAGES_AT_ONCE, progress=callback(_half(progress, second=True)))
    except sqlite3.Error as error:
        raise CommandError(f"The database {target} cannot be written: {error}.") from error


def _require_unused(destination: sqlite3.Connection, target: Path) -> None:
    # Only the single process that has the file open can switch off the write-ahead log.
    try:
        if destination.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",):
            return
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
    raise CommandError(f"The database {target} is in use: stop the server first.")


def _contains_data(destination: sqlite3.Connection) -> bool:
    names = [row[0] for row in destination.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    tables = [name for name in names if name != "alembic_version"]
    return any(destination.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone() for name in tables)  # noqa: S608


def _no_backup(file: Path) -> CommandError:
    return CommandError(f"The file {file} is no backup of Music Studio: name another one.")


def _half(progress: Progress, *, second: bool) -> Progress:
    """The progress of one of the two copies of a restore."""
    return lambda done, total: progress(done + (total if second else 0), 2 * total)
