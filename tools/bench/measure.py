"""The measurement: rounds in which every peer has its turn, so that what the machine does meanwhile meets all alike."""

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
    """What is measured, and for how long."""

    peers: Sequence[Peer]
    workloads: Sequence[Workload]
    kinds: Sequence[str]
    rounds: int
    seconds: int
    connections: int = 16

    def turns(self) -> int:
        """How many measurements that makes."""
        return self.rounds * len(self.peers) * len(self.workloads) * len(self.kinds)


def measure(plan: Plan, records: list[dict[str, Any]]) -> None:
    """Adds one record per database, peer, workload and round. Raises RuntimeError when a peer's answer is wrong."""
    with Bar("Measuring", plan.turns()) as bar:
        for kind in plan.kinds:
            with prepared(kind) as stage:
                stage.require_agreement(plan.peers)
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
    """One filled database and the cores that are used."""

    kind: str
    url: str
    data: Data
    folder: Path
    server_core: int
    load_core: int

    def running(self, peer: Peer, **extra: str) -> contextlib.AbstractContextManager[servers.Server]:
        """The peer on this database."""
        first = requests(GET, self.data)[0]
        log = self.folder / f"{peer.name}.log"
        log.unlink(missing_ok=True)
        return servers.running(peer, self.url, PEPPER, first, log, self.server_core, extra)

    def require_agreement(self, peers: Sequence[Peer]) -> None:
        """Raises RuntimeError unless every peer answers as the service does."""
        asked = equivalence.questions(self.data)
        with self.running(BY_NAME[OURS]) as server:
            right = equivalence.answers(server.port, asked)
        found = []
        for peer in peers:
            with self.running(peer) as server:
                found += equivalence.differences(peer.name, equivalence.answers(server.port, asked), right)
        data.sweep(self.url)
        if found:
            raise RuntimeError("\n".join(found))

    def turn(self, plan: Plan, peer: Peer, number: int, bar: Bar) -> Iterator[dict[str, Any]]:
        """Every workload against one fresh process of the peer."""
        with self.running(peer) as server:
            for workload in plan.workloads:
                bar.show(f"{self.kind}, {peer.name}, {workload.name}")
                yield {"database": self.kind, "peer": peer.name, "workload": workload.name, "round": number,
                       "start_ms": server.start_ms} | self.loaded(plan, server, workload)  # fmt: skip
                bar.step()

    def loaded(self, plan: Plan, server: servers.Server, workload: Workload) -> dict[str, Any]:
        """What one workload gives against a running server."""
        table, asked = self.folder / "requests.lua", requests(workload, self.data)
        load.write_table(asked, table)
        servers.warm(server.port, asked, WARM_SECONDS)
        before = server.cpu_seconds()
        found = load.run(server.port, table, core=self.load_core, seconds=plan.seconds, connections=plan.connections)
        spent = server.cpu_seconds() - before
        if workload.name == "post":
            data.sweep(self.url)
        return dataclasses.asdict(found) | {
            "rate": found.rate, "cpu_us": spent / max(1, found.requests) * 1e6, "memory": server.memory(),
            "wrong": _wrong(found, workload),
        }  # fmt: skip


def _wrong(found: load.Result, workload: Workload) -> int:
    """Answers of another kind than the right one, and connections that failed."""
    refusals = found.requests if workload.status >= 400 else 0
    return abs(found.refused - refusals) + found.connect + found.read + found.write + found.timeout
