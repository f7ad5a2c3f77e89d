"""Runs the benchmark: `python -m tools.bench`, `--quick` for two minutes, `--crowd` for thousands of connections."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tools.bench import build, many_connections, report
from tools.bench import measure as rounds
from tools.bench.databases import KINDS
from tools.bench.targets import ALL, BY_NAME, OURS, Peer
from tools.bench.workloads import ALL as ALL_WORKLOADS
from tools.bench.workloads import BY_NAME as WORKLOADS

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[2] / "docs"
QUICK = {"peers": [OURS, "connexion", "fastapi-sync", "fastapi-async", "bare"], "workloads": ["get", "list", "post"],
         "databases": ["sqlite"], "rounds": 2, "seconds": 2}  # fmt: skip
FULL = {"peers": list(BY_NAME), "workloads": list(WORKLOADS), "databases": list(KINDS), "rounds": 5, "seconds": 3}


def main() -> int:
    """Measure, write the results and show them; what was measured before a failure is not lost."""
    chosen = _chosen()
    records: list[dict[str, Any]] = []
    failed = False
    try:
        _measure(chosen, records)
    except (RuntimeError, KeyboardInterrupt) as problem:
        print(f"bench: {str(problem) or 'interrupted'}", file=sys.stderr)
        failed = True
    if records:
        _show(chosen, records)
    return 1 if failed else 0


def _measure(chosen: argparse.Namespace, records: list[dict[str, Any]]) -> None:
    peers = _with_ours([BY_NAME[name] for name in chosen.peers])
    build.build(peers)
    if chosen.crowd:
        many_connections.measure(peers, chosen.crowd, records)
        return
    workloads = [WORKLOADS[name] for name in chosen.workloads]
    rounds.measure(rounds.Plan(peers, workloads, chosen.databases, chosen.rounds, chosen.seconds), records)


def _show(chosen: argparse.Namespace, records: list[dict[str, Any]]) -> None:
    name = "crowd" if chosen.crowd else "quick" if chosen.quick else "bench"
    found = {"about": report.about(vars(chosen)), "records": records}
    RESULTS.mkdir(exist_ok=True)
    report.write(RESULTS, name, found)
    if chosen.publish:
        report.publish(DOCS, found)
    print(json.dumps(found) if chosen.json else report.markdown(name, found))


def _with_ours(peers: list[Peer]) -> list[Peer]:
    return peers if BY_NAME[OURS] in peers else [BY_NAME[OURS], *peers]


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about two minutes: fewer peers, workloads and rounds")
    parser.add_argument("--json", action="store_true", help="print the raw records")
    parser.add_argument("--publish", action="store_true", help="write docs/benchmark.md and .svg for the README, and the raw records to dist/benchmark.json")
    parser.add_argument("--crowd", type=int, nargs="+", metavar="N", help="so many kept-alive connections instead")
    parser.add_argument("--peers", nargs="+", choices=[peer.name for peer in ALL])
    parser.add_argument("--workloads", nargs="+", choices=[workload.name for workload in ALL_WORKLOADS])
    parser.add_argument("--databases", nargs="+", choices=KINDS)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    chosen = parser.parse_args()
    for name, usual in (QUICK if chosen.quick else FULL).items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, usual)
    return chosen


if __name__ == "__main__":
    sys.exit(main())
