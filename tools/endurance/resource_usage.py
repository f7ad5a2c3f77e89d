"""Resource usage of a running server: memory, threads, open files, and database sessions."""

from __future__ import annotations

from typing import NamedTuple

import psutil
import psycopg

from models.db.engines import NAME
from tools.endurance.crash import workers
from tools.testing.server_process import Running

MIB = 1024 * 1024


class ResourceUsage(NamedTuple):
    """Sums over the workers; memory in MiB, as PSS (`proportional`) and RSS (`resident`).

    `sessions` are PostgreSQL sessions of the whole server; 0 on SQLite.
    """

    proportional: float
    resident: float
    threads: int
    files: int
    sessions: int


def serving(server: Running) -> list[psutil.Process]:
    """The processes that serve requests: the workers, or the only process."""
    return workers(server) or [psutil.Process(server.process.pid)]


def measure(server: Running) -> ResourceUsage:
    """Measures the usage now."""
    found = serving(server)
    memory = [process.memory_full_info() for process in found]
    return ResourceUsage(
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
