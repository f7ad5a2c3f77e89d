"""The file of an SQLite database: whether its path still names the file that is open."""

from __future__ import annotations

import threading
from pathlib import Path

import structlog

from models.db import engines
from models.exceptions import Unavailable

log = structlog.get_logger("models.db.sqlite_file")


class SQLiteFile:
    """Device and inode of the file when it was first seen; without them, as in memory, every check passes."""

    def __init__(self, url: str) -> None:
        self._path = None if engines.is_in_memory(url) else Path(engines.parse_url(url).database or "")
        self._identity = self._current()
        self._reported = False
        self._lock = threading.Lock()

    def require_in_place(self) -> None:
        """Raises Unavailable if the file was moved, deleted or replaced: a write would be lost with the open file.

        Call it before a connection is opened too: SQLite would make a new file.
        """
        current = self._current()
        if self._identity is None:
            self._identity = current  # there was none when this object was made
        in_place = current == self._identity
        self._report(in_place)
        if not in_place:
            raise Unavailable("The database file was moved, deleted or replaced")

    def _current(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat() if self._path else None
        except OSError:
            return None
        return None if status is None else (status.st_dev, status.st_ino)

    def _report(self, in_place: bool) -> None:
        """Logs each change once, whichever threads see it."""
        with self._lock:
            changed, self._reported = in_place == self._reported, not in_place
        if changed:
            self._log(in_place)

    def _log(self, in_place: bool) -> None:
        if in_place:
            log.warning("database file in place again", path=str(self._path))
        else:
            advice = "move it back, or restart the service"
            log.error("database file moved, deleted or replaced", path=str(self._path), advice=advice)
