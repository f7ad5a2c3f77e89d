"""PostgreSQL with a replica by streaming replication."""

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


class ReplicatedPair(NamedTuple):
    """Primary and replica; the replica can be paused, stopped and frozen."""

    primary: Breakable
    replica: Breakable

    def pause(self) -> None:
        """Pauses the replay of the replica."""
        self._ask("SELECT pg_wal_replay_pause()")

    def resume(self) -> None:
        """Resumes the replay and waits until the replica has caught up."""
        self._ask("SELECT pg_wal_replay_resume()")
        self.catch_up()

    def catch_up(self) -> None:
        with psycopg.connect(self.primary.url, autocommit=True) as opened:
            (goal,) = opened.execute("SELECT pg_current_wal_lsn()::text").fetchone() or ("0/0",)
        deadline = time.monotonic() + CAUGHT_UP_SECONDS
        while self._ask(f"SELECT pg_last_wal_replay_lsn() >= '{goal}'::pg_lsn") != (True,):
            assert time.monotonic() < deadline, "the replica does not catch up"
            time.sleep(0.02)

    def _ask(self, question: str) -> tuple[object, ...] | None:
        with psycopg.connect(self.replica.url, autocommit=True) as opened:
            return opened.execute(question.encode()).fetchone()


@contextmanager
def replicated() -> Iterator[ReplicatedPair]:
    """Starts both servers, and removes them afterwards."""
    with databases.breakable_postgres() as primary:
        folder = Path(tempfile.mkdtemp(prefix="music-studio-replica-"))
        _copy(primary, folder)
        replica = Breakable(folder)
        try:
            yield ReplicatedPair(primary, replica)
        finally:
            replica.thaw()
            replica.stop()
            shutil.rmtree(folder, ignore_errors=True)


def _copy(primary: Breakable, folder: Path) -> None:
    server = primary._server
    user = server.system_user if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    host = str(make_url(primary.url).query["host"])
    command = f"{server.bin_path / 'pg_basebackup'} -h {host} -U postgres -D {folder} -R -X stream -c fast".split()
    done = subprocess.run(command, user=user, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # Files of the primary's process.
    for name in (".s.PGSQL.5432.lock", ".handle_pids.json", "log"):
        (folder / name).unlink(missing_ok=True)
