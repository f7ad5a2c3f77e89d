"""Measurement in rounds: each round measures every peer, so that changes of the machine affect all alike."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bench import data, databases, equivalence, load, servers
from tools.bench.data import PEPPER, Data
from tools.bench.progress import Bar
from tools.bench.targets import BY_NAME, OURS, Peer
from tools.bench.workloads import GET, Workload, requests

WARM_SECONDS = 0.4


@dataclass(frozen=True)
class Plan:
    """Peers, workloads, databases and durations of a measurement."""

    peers: Sequence[Peer]
    workloads: Sequence[Workload]
    kinds: Sequence[str]
    rounds: int
    seconds: int
    connections: int = 16

    def turns(self) -> int:
        """The number of measurements."""
        return self.rounds * len(self.peers) * len(self.workloads) * len(self.kinds)


def measure(plan: Plan, records: list[dict[str, Any]]) -> None:
    """Adds one record per database, peer, workload and round. Raises RuntimeError if a peer's response is wrong."""
    with Bar("Measuring", plan.turns()) as bar:
        for kind in plan.kinds:
            with prepared(kind) as stage:
                stage.require_equivalence(plan.peers)
                for number in range(plan.rounds):
                    for peer in plan.peers:
                        records += stage.turn(plan, peer, number, bar)


@contextlib.contextmanager
def prepared(kind: str) -> Iterator[Stage]:
    server, load_core, database = databases.cores()
    with databases.fresh(kind, database) as url, tempfile.TemporaryDirectory(prefix="music-studio-bench-") as folder:
        yield Stage(kind, url, data.load(url), Path(folder), server, load_core)


@dataclass
class Stage:
    """One filled database, and the cores of server and load."""

    kind: str
    url: str
    data: Data
    folder: Path
    server_core: int
    load_core: int

    def running(self, peer: Peer, **extra: str) -> contextlib.AbstractContextManager[servers.Server]:
        """The running peer on this database."""
        first = requests(GET, self.data)[0]
        log = self.folder / f"{peer.name}.log"
        log.unlink(missing_ok=True)
        return servers.running(peer, self.url, PEPPER, first, log, self.server_core, extra)

    def require_equivalence(self, peers: Sequence[Peer]) -> None:
        """Raises RuntimeError unless every peer gives the same responses as the service."""
        samples = equivalence.sample_requests(self.data)
        with self.running(BY_NAME[OURS]) as server:
            expected = equivalence.responses(server.port, samples)
        differences = []
        for peer in peers:
            with self.running(peer) as server:
                actual = equivalence.responses(server.port, samples)
                differences += equivalence.differences(peer.name, actual, expected)
        data.sweep(self.url)
        if differences:
            raise RuntimeError("\n".join(differences))

    def turn(self, plan: Plan, peer: Peer, number: int, bar: Bar) -> Iterator[dict[str, Any]]:
        """Measures all workloads on one new process of the peer."""
        with self.running(peer) as server:
            for workload in plan.workloads:
                bar.show(f"{self.kind}, {peer.name}, {workload.name}")
                yield {"database": self.kind, "peer": peer.name, "workload": workload.name, "round": number,
                       "start_ms": server.start_ms} | self.measure_workload(plan, server, workload)  # fmt: skip
                bar.step()

    def measure_workload(self, plan: Plan, server: servers.Server, workload: Workload) -> dict[str, Any]:
        """The record of one workload on a running server."""
        table, requests_sent = self.folder / "requests.lua", requests(workload, self.data)
        load.write_table(requests_sent, table)
        servers.warm(server.port, requests_sent, WARM_SECONDS)
        before = server.cpu_seconds()
        result = load.run(server.port, table, core=self.load_core, seconds=plan.seconds, connections=plan.connections)
        spent = server.cpu_seconds() - before
        if workload.name == "post":
            data.sweep(self.url)
        return dataclasses.asdict(result) | {
            "rate": result.rate, "cpu_us": spent / max(1, result.requests) * 1e6, "memory": server.memory(),
            "wrong": _wrong(result, workload),
        }  # fmt: skip


def _wrong(result: load.Result, workload: Workload) -> int:
    """The number of responses with another status than the workload's, and of failed connections."""
    refusals = result.requests if workload.status >= 400 else 0
    return abs(result.refused - refusals) + result.connect + result.read + result.write + result.timeout
