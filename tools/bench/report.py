"""Report of the benchmark: tables with medians and ratios, a chart, and the raw records."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from tools.bench import best, chart, crowd_table, databases, goals, instruction_table, many_connections, pages
from tools.bench.targets import ALL, BY_NAME, OURS, ROOT
from tools.bench.workloads import ALL as WORKLOADS
from tools.bench.workloads import BY_NAME as WORKLOAD

Records = list[dict[str, Any]]
BASE = "connexion"
RESULTS = Path(__file__).parent / "results"
COSTS = {"p50": "{:.1f}", "p99": "{:.1f}", "memory": "{:.0f}", "start_ms": "{:,.0f}"}
CONDITIONS = """\
One process of the server is pinned to one core, the load to another. PostgreSQL is used over its Unix socket and runs
on {place} core. SQLite: WAL, synchronous=FULL; files on {disk}. Rate limits are off; every other production feature of
the service is on: validation of requests and responses, one log line per request, size limits and timeouts. The peers
log nothing and send no entity tags. They look up the API key in the database on each request; the service caches it for
0.25 s, which a revocation waits for. All gave the same responses before anything was measured. The 100 KB body is a new
order of 4,600 track ids that are in no collection: all of it is read and validated, and nothing is written. Machines
are noisy: compare ratios inside one table. POST and PATCH of a name wait for the disk once each, so on SQLite their
rates depend more on the disk than on the server; the processor time does not.
"""


def about(how: dict[str, Any]) -> dict[str, Any]:
    """The machine, the versions and the options of the measurement."""
    server, load, database = databases.cores()
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": {"server": server, "load": load, "postgresql": database},
        "disk": _disk(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "wrk": _wrk(),
        "how": {name: value for name, value in how.items() if name not in {"json", "quick"}},
    }


def with_earlier_parts(file: Path, records: Records) -> Records:
    """The records with those of earlier parts, whose database or workload is another one."""
    measured = {(record["database"], record["workload"]) for record in records}
    earlier = json.loads(file.read_text(encoding="utf-8"))["records"] if file.exists() else []
    return [one for one in earlier if (one["database"], one["workload"]) not in measured] + records


def publish(folder: Path, results: dict[str, Any]) -> None:
    """Writes the files that the README uses: tables, raw records, and one chart with both databases."""
    (ROOT / "dist" / "benchmark.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    report = folder / "benchmark.md"
    parts = [markdown("bench", results), crowd_table.section(RESULTS), instruction_table.section(folder)]
    text = "\n".join(part for part in parts if part) + pages.section_of(report)
    report.write_text(text, encoding="utf-8")
    pictures = [_bars(results["records"], kind) for kind in _kinds(results["records"])]
    (folder / "benchmark.svg").write_text(chart.stacked(pictures), encoding="utf-8")


def write(folder: Path, name: str, results: dict[str, Any]) -> None:
    """Writes the raw records, the tables and, for rounds, the charts."""
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(markdown(name, results), encoding="utf-8")
    if name != "crowd":
        for kind in _kinds(results["records"]):
            picture = chart.bars(*_bars(results["records"], kind))
            (folder / f"{name}-{kind}.svg").write_text(picture, encoding="utf-8")


def markdown(name: str, results: dict[str, Any]) -> str:
    """The report."""
    records = results["records"]
    parts = [_head(name, results["about"])]
    if name == "crowd":
        return "\n".join([*parts, crowd_table.table(records)]) + "\n"
    parts.append(best.table(_rates_by_peer(records), _kinds(records)))
    for kind in _kinds(records):
        parts += [f"## {best.TITLES[kind]}\n", _rates(records, kind), _cpu(records, kind), _costs(records, kind)]
    parts += goals.table(partial(_median, records), goals.telemetry(RESULTS))
    return "\n".join(parts) + "\n"


def _head(name: str, facts: dict[str, Any]) -> str:
    how, cores = facts["how"], facts["cores"]
    place = {cores["server"]: "the servers'", cores["load"]: "the load's"}.get(cores["postgresql"], "its own")
    if name == "crowd":
        timing = many_connections.METHOD
    else:
        timing = f"{how['rounds']} alternating rounds of {how['seconds']} s, 16 kept-alive connections; medians"
    return (
        f"# Benchmark, {facts['when']}\n\n"
        f"{facts['processor']}; Python {facts['python']}, {facts['wrk']}. {timing}.\n\n"
        f"{CONDITIONS.format(place=place, disk=facts['disk'])}"
    )


def _rates(records: Records, kind: str) -> str:
    """Requests per second for each workload, and the ratio to stock Connexion."""
    return _by_workload(records, "Requests per second (times stock Connexion):", partial(_cell, records, kind))


def _cpu(records: Records, kind: str) -> str:
    """Processor time of the server per request, without waiting."""

    def cell(peer: str, workload: str) -> str:
        return f"{_median(records, 'cpu_us', kind, peer, workload):,.0f}"

    return _by_workload(records, "Processor time of the server, microseconds per request:", cell)


def _by_workload(records: Records, title: str, cell: Callable[[str, str], str]) -> str:
    shown = [w for w in WORKLOADS if any(r["workload"] == w.name for r in records)]
    lines = [f"{title}\n", "| | " + " | ".join(w.title for w in shown) + " |", "| --- |" + " --- |" * len(shown)]
    lines += [f"| {_name(peer)} | " + " | ".join(cell(peer, w.name) for w in shown) + " |" for peer in _peers(records)]
    return "\n".join(lines) + "\n"


def _cell(records: Records, kind: str, peer: str, workload: str) -> str:
    rate, base = (_median(records, "rate", kind, who, workload) for who in (peer, BASE))
    ratio = f" ({rate / base:.1f})" if rate and base else ""
    wrong = sum(r["wrong"] for r in _of(records, kind, peer, workload))
    return f"{rate:,.0f}{ratio}" + (f" **{wrong} wrong**" if wrong else "") if rate else "-"


def _costs(records: Records, kind: str) -> str:
    """Response times of one workload, memory and start-up time of a worker."""
    first = _first(records)
    lines = [f"Latency and memory ({WORKLOAD[first].title}):\n",
             "| | p50 ms | p99 ms | worker MiB | start to first response ms | how |",
             "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for peer in _peers(records):
        cells = [form.format(_median(records, field, kind, peer, first)) for field, form in COSTS.items()]
        lines.append(f"| {_name(peer)} | " + " | ".join([*cells, BY_NAME[peer].way[kind]]) + " |")
    return "\n".join(lines) + "\n"


def _bars(records: Records, kind: str) -> tuple[str, list[tuple[str, float, bool]]]:
    first = _first(records)
    title = f"{WORKLOAD[first].title}, {best.TITLES[kind]}: requests per second of one process"
    rates = {peer: _median(records, "rate", kind, peer, first) for peer in _peers(records)}
    rows = [(BY_NAME[peer].label, rates[peer], peer == OURS) for peer in best.variants(rates)]
    return title, sorted(rows, key=lambda row: row[1])


def _rates_by_peer(records: Records) -> dict[tuple[str, str, str], float]:
    keys = {(r["database"], r["workload"], r["peer"]): None for r in records}
    return {(kind, name, peer): _median(records, "rate", kind, peer, name) for kind, name, peer in keys}


def _first(records: Records) -> str:
    """The representative workload: GET of one collection if it was measured, else the first."""
    return "get" if any(r["workload"] == "get" for r in records) else str(records[0]["workload"])


def _median(records: Records, field: str, kind: str, peer: str, workload: str) -> float:
    values = [r[field] for r in _of(records, kind, peer, workload)]
    return float(median(values)) if values else 0.0


def _of(records: Records, kind: str, peer: str, workload: str) -> Records:
    wanted: Callable[[dict[str, Any]], bool] = lambda r: (  # noqa: E731 - one expression, used on the next line
        r["database"] == kind and r["peer"] == peer and r["workload"] == workload
    )
    return [r for r in records if wanted(r)]


def _kinds(records: Records) -> list[str]:
    return [kind for kind in databases.KINDS if any(r["database"] == kind for r in records)]


def _peers(records: Records) -> list[str]:
    return [peer.name for peer in ALL if any(r["peer"] == peer.name for r in records)]


def _name(peer: str) -> str:
    return f"**{BY_NAME[peer].label}**" if peer == OURS else BY_NAME[peer].label


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    return f"{len(os.sched_getaffinity(0))} cores of {name}"


def _disk() -> str:
    """The type of the file system with the databases."""
    folder = tempfile.gettempdir()
    mounts = [part for part in psutil.disk_partitions(all=True) if folder.startswith(part.mountpoint)]
    return str(max(mounts, key=lambda part: len(part.mountpoint)).fstype)


def _wrk() -> str:
    program = shutil.which("wrk") or "wrk"
    done = subprocess.run([program, "-v"], capture_output=True, text=True, check=False)
    return " ".join((done.stdout + done.stderr).split()[:2])
