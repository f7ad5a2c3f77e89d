"""What a running server holds: memory, threads, and open files and connections, of each of its processes."""

from __future__ import annotations

from typing import NamedTuple

import psutil

from endure.crash import workers
from endure.running import Running

MIB = 1024 * 1024


class Census(NamedTuple):
    """Sums over the workers; memory in MiB. `proportional` (PSS) counts a page that processes share once in all."""

    proportional: float
    resident: float
    threads: int
    files: int


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
    )
