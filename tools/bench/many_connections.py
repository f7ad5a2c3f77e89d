"""Thousands of kept-alive connections at once: who answers all of them, and how long the unlucky wait."""

from __future__ import annotations

import dataclasses
import resource
from collections.abc import Sequence
from typing import Any

from tools.bench import load
from tools.bench import measure as rounds
from tools.bench.progress import Bar
from tools.bench.targets import Peer
from tools.bench.workloads import GET, requests

SECONDS = 15
SPARE_FILES = 500
# The service answers 503 beyond a number of requests in flight, which here has to be above the number of clients.
UNBOUNDED = {"MUSIC_STUDIO_MAX_CONCURRENCY": "100000"}


def measure(peers: Sequence[Peer], crowds: Sequence[int], records: list[dict[str, Any]]) -> None:
    """Adds one record per peer and number of connections, on SQLite. Raises RuntimeError where files are too few."""
    _allow_files(max(crowds) + SPARE_FILES)
    with Bar("Crowds", len(peers) * len(crowds)) as bar, rounds.prepared("sqlite") as stage:
        table = stage.folder / "requests.lua"
        load.write_table(requests(GET, stage.data), table)
        for peer in peers:
            for connections in crowds:
                bar.show(f"{peer.name}, {connections} connections")
                with stage.running(peer, **UNBOUNDED) as server:
                    found = load.run(server.port, table, core=stage.load_core, seconds=SECONDS, connections=connections)
                    records.append(
                        {"peer": peer.name, "connections": connections, "memory": server.memory(), "rate": found.rate}
                        | dataclasses.asdict(found)
                    )
                bar.step()


def _allow_files(wanted: int) -> None:
    """Raise this process's limit of open files, which the server and the load inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise RuntimeError(f"{wanted} open files are needed and {hard} allowed: raise it with `ulimit -Hn {wanted}`.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
