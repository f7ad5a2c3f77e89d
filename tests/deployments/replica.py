"""A real PostgreSQL and a copy that follows it by streaming replication."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
from sqlalchemy import make_url

from tools.testing import databases
from tools.testing.databases import Breakable

CAUGHT_UP_SECONDS = 20


class Pair(NamedTuple):
    """The primary, and the copy, which may be made to lag and to fail."""

    primary: Breakable
    copy: Breakable

    def pause(self) -> None:
        """From now on the copy stays as it is."""
        self._ask("SELECT pg_wal_replay_pause()")

    def resume(self) -> None:
        """The copy goes on, and has caught up."""
        self._ask("SELECT pg_wal_replay_resume()")
        self.catch_up()

    def catch_up(self) -> None:
        with psycopg.connect(self.primary.url, autocommit=True) as opened:
            (goal,) = opened.execute("SELECT pg_current_wal_lsn()::text").fetchone() or ("0/0",)
        deadline = time.monotonic() + CAUGHT_UP_SECONDS
        while self._ask(f"SELECT pg_last_wal_replay_lsn() >= '{goal}'::pg_lsn") != (True,):
            assert time.monotonic() < deadline, "the copy does not catch up"
            time.sleep(0.02)

    def _ask(self, question: str) -> tuple[object, ...] | None:
        with psycopg.connect(self.copy.url, autocommit=True) as opened:
            return opened.execute(question.encode()).fetchone()


@contextmanager
def replicated() -> Iterator[Pair]:
    """Both are servers of their own, started now and gone afterwards."""
    with databases.breakable_postgres() as primary:
        folder = Path(tempfile.mkdtemp(prefix="music-studio-copy-"))
        _copy(primary, folder)
        copy = Breakable(folder)
        try:
            yield Pair(primary, copy)
        finally:
            copy.thaw()
            copy.stop()
            shutil.rmtree(folder, ignore_errors=True)


def _copy(primary: Breakable, folder: Path) -> None:
    server = primary._server
    user = server.system_user if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    host = str(make_url(primary.url).query["host"])
    command = f"{server.bin_path / 'pg_basebackup'} -h {host} -U postgres -D {folder} -R -X stream -c fast".split()
    told = subprocess.run(command, user=user, cwd="/", capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    # What the primary's own process had put beside its data.
    for name in (".s.PGSQL.5432.lock", ".handle_pids.json", "log"):
        (folder / name).unlink(missing_ok=True)
