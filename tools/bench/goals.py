"""Goals of the service: ratios of medians within one run, each with its minimum."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tools.bench.databases import KINDS
from tools.bench.targets import BY_NAME, OURS
from tools.bench.workloads import BY_NAME as WORKLOAD

Median = Callable[[str, str, str, str], float]
FASTAPI, OGEN = ("fastapi-sync", "fastapi-async"), ("ogen-strict", "ogen-client")
GROUPS: dict[tuple[str, ...], str] = {
    FASTAPI: "FastAPI with Core, the better of both",
    OGEN: "Go by ogen, the faster of both",
}
MAX_MIB, MAX_START, MAX_TELEMETRY = 110, 0.6, 1.05


class Goal(NamedTuple):
    """A workload on a database, the peers (the fastest counts), and the minimum ratio."""

    workload: str
    database: str
    peers: tuple[str, ...]
    minimum: float


GOALS = (
    *(Goal("get", kind, FASTAPI, 3.0) for kind in KINDS),
    *(Goal("get", kind, ("fastapi-by-hand",), 2.0) for kind in KINDS),
    *(Goal("get", kind, OGEN, 0.4) for kind in KINDS),
    Goal("get", "sqlite", ("bare",), 0.75),
    Goal("get", "postgresql", ("fastify",), 1.0),
    *(Goal("list", kind, FASTAPI, 2.5) for kind in KINDS),
    *(Goal(name, kind, FASTAPI, 2.0) for kind in KINDS for name in ("tracks", "post", "patch")),
    Goal("list", "sqlite", ("bare",), 0.75),
    *(Goal("list", kind, ("fastify",), 1.1) for kind in KINDS),
    Goal("tracks", "sqlite", ("bare",), 0.6),
    *(Goal("tracks", kind, ("fastify",), 1.0) for kind in KINDS),
    *(Goal("body", kind, ("bare",), 0.6) for kind in KINDS),
    *(Goal("body", kind, FASTAPI, 2.2) for kind in KINDS),
    *(Goal(name, kind, FASTAPI, 1.0) for kind in KINDS for name in ("404", "401", "422")),
)


def table(median: Median, telemetry: Mapping[str, float]) -> list[str]:
    """The lines of a Markdown table: goal, minimum, measured value, and whether the goal is met.

    `telemetry` is, per database, the time of a GET with log lines, metrics and quotas in parts of the time without.
    """
    rows = [row for goal in GOALS if (row := _row(goal, median))] + _costs(median)
    rows += [_telemetry(kind, ratio) for kind, ratio in telemetry.items()]
    if not rows:
        return []
    return ["## Goals\n", "| goal | at least | measured | |\n| --- | --- | --- | --- |", *rows, ""]


def _row(goal: Goal, median: Median) -> str:
    ours = median("rate", goal.database, OURS, goal.workload)
    rates = [median("rate", goal.database, peer, goal.workload) for peer in goal.peers]
    if not ours or not all(rates):  # the better of both is not known unless both were measured
        return ""
    best = max(rates)
    other = GROUPS.get(goal.peers) or BY_NAME[goal.peers[0]].label
    verdict = _verdict(ours / best >= goal.minimum)
    title = f"{WORKLOAD[goal.workload].title}, {goal.database} / {other}"
    return f"| {title} | {goal.minimum:.2f} | {ours / best:.2f} | {verdict} |"


def _costs(median: Median) -> list[str]:
    return [row for kind in KINDS for row in (*_memory(median, kind), *_start(median, kind))]


def _memory(median: Median, kind: str) -> list[str]:
    value = median("memory", kind, OURS, "get")
    title = f"memory of a worker, MiB, {kind}"
    return [f"| {title} | at most {MAX_MIB} | {value:,.0f} | {_verdict(value <= MAX_MIB)} |"] if value else []


def _start(median: Median, kind: str) -> list[str]:
    """Start to first response, as a part of the time of the FastAPI that starts faster."""
    ours, others = median("start_ms", kind, OURS, "get"), [median("start_ms", kind, one, "get") for one in FASTAPI]
    if not ours or not all(others):
        return []
    part = ours / min(others)
    title = f"start to first response, {kind} / FastAPI, the faster of both"
    return [f"| {title} | at most {MAX_START} | {part:.2f} | {_verdict(part <= MAX_START)} |"]


def telemetry(results: Path) -> dict[str, float]:
    """The ratios that `telemetry_cost --wire` has left in the folder of the results."""
    file = results / "telemetry.json"
    found: dict[str, float] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def _telemetry(kind: str, ratio: float) -> str:
    title = f"time with log lines, metrics and quotas, {kind} / without"
    return f"| {title} | at most {MAX_TELEMETRY} | {ratio:.3f} | {_verdict(ratio <= MAX_TELEMETRY)} |"


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "**not met**"
