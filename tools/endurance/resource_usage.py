"""What a running server holds: memory, threads, open files and connections, and sessions of the database."""

from __future__ import annotations

from typing import NamedTuple

import psutil
import psycopg

from models.db.engines import NAME
from tools.endurance.crash import workers
from tools.testing.server_process import Running

MIB = 1024 * 1024


class Census(NamedTuple):
    """Sums over the workers; memory in MiB. `proportional` (PSS) counts a page that processes share once in all.

    `sessions` are those of PostgreSQL, of the whole server; none on SQLite.
    """

    proportional: float
    resident: float
    threads: int
    files: int
    sessions: int


def serving(server: Running) -> list[psutil.Process]:
    """The processes that answer requests: the workers, or the one process of a server without."""
    return workers(server) or [psutil.Process(server.process.pid)]


def take(server: Running) -> Census:
    """One count, now."""
    found = serving(server)
    memory = [process.memory_full_info() for process in found]
    return Census(
        sum(one.pss for one in memory) / MIB,
        sum(one.rss for one in memory) / MIB,
        sum(process.num_threads() for process in found),
        sum(process.num_fds() for process in found),
        _sessions(server.database_url),
    )


def _sessions(url: str) -> int:
    if not url.startswith("postgresql"):
        return 0
    with psycopg.connect(url) as opened:
        ask = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
        found = opened.execute(ask, (NAME,)).fetchone()
    return 0 if found is None else int(found[0])
