"""Measures thousands of keep-alive connections at once: how many requests succeed, and the longest response times."""

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
# The service responds 503 above its maximum of requests in flight, and closes connections above its memory limits.
UNBOUNDED = {
    "MUSIC_STUDIO_MAX_CONCURRENCY": "100000",
    "MUSIC_STUDIO_CONNECTION_MEMORY_MIB": "1000",
    "MUSIC_STUDIO_ADDRESS_MEMORY_MIB": "1000",
}


def measure(peers: Sequence[Peer], counts: Sequence[int], records: list[dict[str, Any]]) -> None:
    """Adds one record per peer and number of connections, on SQLite. Raises RuntimeError if `ulimit -n` is too low."""
    _allow_files(max(counts) + SPARE_FILES)
    with Bar("Crowds", len(peers) * len(counts)) as bar, rounds.prepared("sqlite") as stage:
        table = stage.folder / "requests.lua"
        load.write_table(requests(GET, stage.data), table)
        for peer in peers:
            for connections in counts:
                bar.show(f"{peer.name}, {connections} connections")
                with stage.running(peer, **UNBOUNDED) as server:
                    result = load.run(
                        server.port, table, core=stage.load_core, seconds=SECONDS, connections=connections
                    )
                    records.append(
                        {"peer": peer.name, "connections": connections, "memory": server.memory(), "rate": result.rate}
                        | dataclasses.asdict(result)
                    )
                bar.step()


def _allow_files(wanted: int) -> None:
    """Raises this process's limit of open files, which the server and the load generator inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise RuntimeError(f"{wanted} open files are needed and {hard} allowed: raise it with `ulimit -Hn {wanted}`.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
