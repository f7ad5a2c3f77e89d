"""Goals of the service: ratios of medians within one run, each with its minimum."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tools.bench.databases import KINDS
from tools.bench.targets import BY_NAME, OURS
from tools.bench.workloads import BY_NAME as WORKLOAD

Median = Callable[[str, str, str, str], float]
FASTAPI = ("fastapi-sync", "fastapi-async")
MAX_MIB, MAX_START_MS = 110, 1_000


class Goal(NamedTuple):
    """A workload on a database, the peers (the fastest counts), and the minimum ratio."""

    workload: str
    database: str
    peers: tuple[str, ...]
    minimum: float


GOALS = (
    Goal("get", "sqlite", FASTAPI, 3.0),
    Goal("get", "sqlite", ("bare",), 0.6),
    Goal("get", "postgresql", FASTAPI, 3.0),
    Goal("get", "postgresql", ("fastify",), 0.7),
    *(Goal(name, kind, FASTAPI, 2.0) for kind in KINDS for name in ("list", "tracks", "post", "patch")),
    *(Goal("body", kind, FASTAPI, 3.0) for kind in KINDS),
    *(Goal(name, kind, FASTAPI, 1.0) for kind in KINDS for name in ("404", "401", "422")),
)


def table(median: Median) -> list[str]:
    """The lines of a Markdown table: goal, minimum, measured value, and whether the goal is met."""
    rows = [row for goal in GOALS if (row := _row(goal, median))] + _costs(median)
    if not rows:
        return []
    return ["## Goals\n", "| goal | at least | measured | |\n| --- | --- | --- | --- |", *rows, ""]


def _row(goal: Goal, median: Median) -> str:
    ours = median("rate", goal.database, OURS, goal.workload)
    best = max(median("rate", goal.database, peer, goal.workload) for peer in goal.peers)
    if not ours or not best:
        return ""
    other = BY_NAME[goal.peers[0]].label if len(goal.peers) == 1 else "FastAPI, the better of both"
    verdict = "met" if ours / best >= goal.minimum else "**not met**"
    title = f"{WORKLOAD[goal.workload].title}, {goal.database} / {other}"
    return f"| {title} | {goal.minimum:.1f} | {ours / best:.2f} | {verdict} |"


def _costs(median: Median) -> list[str]:
    rows = []
    for kind in KINDS:
        for field, title, maximum in (("memory", "memory of a worker, MiB", MAX_MIB),
                                      ("start_ms", "start to first response, ms", MAX_START_MS)):  # fmt: skip
            value = median(field, kind, OURS, "get")
            if value:
                verdict = "met" if value <= maximum else "**not met**"
                rows.append(f"| {title}, {kind} | at most {maximum:,} | {value:,.0f} | {verdict} |")
    return rows
