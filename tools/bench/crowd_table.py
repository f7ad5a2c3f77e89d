"""Table of the crowds, and its section of the published page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.bench import best, many_connections
from tools.bench.targets import BY_NAME, OURS

Records = list[dict[str, Any]]
TITLES = ("requests/s", "Music Studio's / this", "failed", "p50 ms", "p99 ms", "max ms", "worker MiB")


def section(results: Path) -> str:
    """The section `## Many clients` from the crowd that was measured last, or nothing."""
    file = results / "crowd.json"
    if not file.exists():
        return ""
    measured = json.loads(file.read_text(encoding="utf-8"))
    head = f"## Many clients\n\nMeasured on {measured['about']['when']}: {many_connections.METHOD}.\n\n"
    return head + table(measured["records"])


def table(records: Records) -> str:
    """One row per database, scenario and peer. `failed` are wrong or missing answers and connections that were cut."""
    groups = dict.fromkeys((r["database"], r["scenario"]) for r in records)
    return "\n".join(_group(kind, name, records) for kind, name in groups)


def _group(kind: str, scenario: str, records: Records) -> str:
    rows = [r for r in records if (r["database"], r["scenario"]) == (kind, scenario)]
    ours = next((r["rate"] for r in rows if r["peer"] == OURS), 0.0)
    head = f"| {scenario}, {best.TITLES[kind]} | " + " | ".join(TITLES) + " |"
    return "\n".join([head, "| --- |" + " --- |" * len(TITLES), *_rows(rows, ours)]) + "\n"


def _rows(rows: Records, ours: float) -> Iterator[str]:
    for r in rows:
        label = BY_NAME[r["peer"]].label
        name = f"**{label}**" if r["peer"] == OURS else label
        ratio = f"{ours / r['rate']:.1f}" if ours and r["rate"] else "-"
        yield (f"| {name} | {r['rate']:,.0f} | {ratio} | {r['failed']:,} | {r['p50']:,.0f} | {r['p99']:,.0f} | "
               f"{r['max']:,.0f} | {r['memory']:,.0f} |")  # fmt: skip
