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

DOCS = Path(__file__).parents[2] / "docs"
QUICK = {"peers": [OURS, "connexion", "fastapi-sync", "fastapi-async", "bare"], "workloads": ["get", "list", "post"],
         "databases": ["sqlite"], "rounds": 2, "seconds": 2}  # fmt: skip
FULL = {"peers": list(BY_NAME), "workloads": list(WORKLOADS), "databases": list(KINDS), "rounds": 5, "seconds": 3}


def main() -> int:
    """Measures, writes the results and prints them; after an error, the records so far are kept."""
    options = _options()
    records: list[dict[str, Any]] = []
    failed = False
    try:
        _measure(options, records)
    except (RuntimeError, KeyboardInterrupt) as error:
        print(f"bench: {str(error) or 'interrupted'}", file=sys.stderr)
        failed = True
    if records:
        _show(options, records)
    return 1 if failed else 0


def _measure(options: argparse.Namespace, records: list[dict[str, Any]]) -> None:
    peers = _with_ours([BY_NAME[name] for name in options.peers])
    build.build(peers)
    if options.crowd is not None:
        many_connections.measure(peers, options.crowd, options.databases, records)
        return
    workloads = [WORKLOADS[name] for name in options.workloads]
    rounds.measure(rounds.Plan(peers, workloads, options.databases, options.rounds, options.seconds), records)


def _show(options: argparse.Namespace, records: list[dict[str, Any]]) -> None:
    name = "crowd" if options.crowd is not None else "quick" if options.quick else "bench"
    if options.part:
        records = report.with_earlier_parts(report.RESULTS / f"{name}.json", records)
    results = {"about": report.about(vars(options)), "records": records}
    report.RESULTS.mkdir(exist_ok=True)
    report.write(report.RESULTS, name, results)
    if options.publish and name == "bench":
        report.publish(DOCS, results)
    print(json.dumps(results) if options.json else report.markdown(name, results))


def _with_ours(peers: list[Peer]) -> list[Peer]:
    return peers if BY_NAME[OURS] in peers else [BY_NAME[OURS], *peers]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about two minutes: fewer peers, workloads and rounds")
    parser.add_argument("--json", action="store_true", help="print the raw records")
    parser.add_argument("--publish", action="store_true", help="write docs/benchmark.md and .svg for the README")
    parser.add_argument(
        "--part", action="store_true", help="add to the last run, which had other workloads or databases"
    )
    parser.add_argument(
        "--crowd", type=int, nargs="*", metavar="N", help="measure many clients, and N busy connections"
    )
    parser.add_argument("--peers", nargs="+", choices=[peer.name for peer in ALL])
    parser.add_argument("--workloads", nargs="+", choices=[workload.name for workload in ALL_WORKLOADS])
    parser.add_argument("--databases", nargs="+", choices=KINDS)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    options = parser.parse_args()
    usual = QUICK if options.quick else FULL
    if options.crowd is not None:
        usual = usual | {"peers": list(many_connections.PEERS)}
    for name, default in usual.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
    return options


if __name__ == "__main__":
    sys.exit(main())
