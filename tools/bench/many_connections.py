"""Measures many clients: busy, mostly idle, all connecting at once, and reading slowly."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tools.bench import crowd, load
from tools.bench import measure as rounds
from tools.bench.load import Result
from tools.bench.measure import Stage
from tools.bench.progress import Bar
from tools.bench.servers import Server
from tools.bench.targets import OURS, Peer
from tools.bench.workloads import BY_NAME, GET, requests

PEERS = (OURS, "fastapi-async", "fastapi-by-hand", "fastify")
SECONDS = 10
KEPT, ACTIVE, NEW, SLOW = 10_000, 1_000, 2_000, 200
SPARE_FILES = 500
METHOD = (
    f"GET one collection for {SECONDS} s; the service's limits of requests in flight and of the memory of connections "
    "are raised above the numbers of clients"
)
# The service responds 503 above its maximum of requests in flight, and closes connections above its memory limits.
UNBOUNDED = {
    "MUSIC_STUDIO_MAX_CONCURRENCY": "100000",
    "MUSIC_STUDIO_CONNECTION_MEMORY_MIB": "1000",
    "MUSIC_STUDIO_ADDRESS_MEMORY_MIB": "1000",
}
Scenario = Callable[[Stage, Server], dict[str, Any]]


def measure(peers: Sequence[Peer], busy: Sequence[int], kinds: Sequence[str], records: list[dict[str, Any]]) -> None:
    """Adds one record per database, peer and scenario. Raises RuntimeError if `ulimit -n` is too low.

    `busy` are numbers of connections that all send without a pause, in addition to the scenarios.
    """
    _allow_files(max([KEPT, *busy]) + SPARE_FILES)
    scenarios = SCENARIOS | {f"{count:,} busy connections": _busy(count) for count in busy}
    with Bar("Crowds", len(kinds) * len(peers) * len(scenarios)) as bar:
        for kind in kinds:
            with rounds.prepared(kind) as stage:
                for peer in peers:
                    _measure_peer(stage, peer, scenarios, records, bar)


def _measure_peer(
    stage: Stage, peer: Peer, scenarios: Mapping[str, Scenario], records: list[dict[str, Any]], bar: Bar
) -> None:
    for name, scenario in scenarios.items():
        bar.show(f"{stage.kind}, {peer.name}, {name}")
        with stage.running(peer, **UNBOUNDED) as server:
            measured = scenario(stage, server)
            records.append(
                {"database": stage.kind, "peer": peer.name, "scenario": name, "memory": server.memory()} | measured
            )
        bar.step()


def _busy(count: int) -> Scenario:
    return lambda stage, server: _figures(_load(stage, server, count))


def _mostly_idle(stage: Stage, server: Server) -> dict[str, Any]:
    """1,000 connections send without a pause while 9,000 others stay open; then each of those is used once more."""
    one = requests(GET, stage.data)[0]
    with crowd.idle(server.port, one, KEPT - ACTIVE) as connections:
        figures = _figures(_load(stage, server, ACTIVE))
        figures["failed"] += sum(not crowd.answers(connection, one) for connection in connections)
    return figures


def _storm(stage: Stage, server: Server) -> dict[str, Any]:
    """2,000 connections at once, for one request each."""
    seen = crowd.storm(server.port, requests(GET, stage.data), NEW)
    return {"rate": len(seen.times) / seen.seconds, "failed": seen.failed, "p50": seen.percentile(50),
            "p99": seen.percentile(99), "max": max(seen.times, default=0.0)}  # fmt: skip


def _slow_readers(stage: Stage, server: Server) -> dict[str, Any]:
    """16 connections send without a pause while 200 others read lists of 500 at 20 KB a second each."""
    long = requests(BY_NAME["tracks"], stage.data)[0]
    with crowd.slow_readers(server.port, long, SLOW) as read:
        figures = _figures(_load(stage, server, 16))
    figures["failed"] += sum(count <= 0 for count in read)
    return figures


SCENARIOS: dict[str, Scenario] = {
    f"{KEPT:,} kept-alive, {ACTIVE:,} active": _mostly_idle,
    f"storm of {NEW:,} new connections": _storm,
    f"16 active, {SLOW} slow readers of 500 tracks": _slow_readers,
}


def _load(stage: Stage, server: Server, connections: int) -> Result:
    table = stage.folder / "requests.lua"
    load.write_table(requests(GET, stage.data), table)
    return load.run(server.port, table, core=stage.load_core, seconds=SECONDS, connections=connections)


def _figures(result: Result) -> dict[str, Any]:
    failed = result.refused + result.connect + result.read + result.write + result.timeout
    return {"rate": result.rate, "failed": failed, "p50": result.p50, "p99": result.p99, "max": result.max}


def _allow_files(wanted: int) -> None:
    """Raises this process's limit of open files, which the server and the load generator inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise RuntimeError(f"{wanted} open files are needed and {hard} allowed: raise it with `ulimit -Hn {wanted}`.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
