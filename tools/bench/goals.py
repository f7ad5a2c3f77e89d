"""What the service wants to be: ratios of medians in one run, each with the least that is good enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tools.bench.databases import KINDS
from tools.bench.targets import BY_NAME, OURS
from tools.bench.workloads import BY_NAME as WORKLOAD

Middle = Callable[[str, str, str, str], float]
FASTAPI = ("fastapi-sync", "fastapi-async")
MAX_MIB, LATEST_MS = 110, 1_000


class Goal(NamedTuple):
    """A workload on a database, the peers whose best is the measure, and the least ratio."""

    workload: str
    database: str
    peers: tuple[str, ...]
    least: float


GOALS = (
    Goal("get", "sqlite", FASTAPI, 3.0),
    Goal("get", "sqlite", ("bare",), 0.6),
    Goal("get", "postgresql", FASTAPI, 3.0),
    Goal("get", "postgresql", ("fastify",), 0.7),
    *(Goal(name, kind, FASTAPI, 2.0) for kind in KINDS for name in ("list", "tracks", "post", "patch")),
    *(Goal("body", kind, FASTAPI, 3.0) for kind in KINDS),
    *(Goal(name, kind, FASTAPI, 1.0) for kind in KINDS for name in ("404", "401", "422")),
)


def table(middle: Middle) -> list[str]:
    """The lines of a Markdown table: what was wanted, what was measured, and whether that is enough."""
    rows = [row for goal in GOALS if (row := _row(goal, middle))] + _costs(middle)
    if not rows:
        return []
    return ["## Goals\n", "| goal | at least | measured | |\n| --- | --- | --- | --- |", *rows, ""]


def _row(goal: Goal, middle: Middle) -> str:
    ours = middle("rate", goal.database, OURS, goal.workload)
    best = max(middle("rate", goal.database, peer, goal.workload) for peer in goal.peers)
    if not ours or not best:
        return ""
    other = BY_NAME[goal.peers[0]].label if len(goal.peers) == 1 else "FastAPI, the better of both"
    verdict = "met" if ours / best >= goal.least else "**not met**"
    title = f"{WORKLOAD[goal.workload].title}, {goal.database} / {other}"
    return f"| {title} | {goal.least:.1f} | {ours / best:.2f} | {verdict} |"


def _costs(middle: Middle) -> list[str]:
    rows = []
    for kind in KINDS:
        for field, title, most in (("memory", "memory of a worker, MiB", MAX_MIB),
                                   ("start_ms", "start to first answer, ms", LATEST_MS)):  # fmt: skip
            found = middle(field, kind, OURS, "get")
            if found:
                verdict = "met" if found <= most else "**not met**"
                rows.append(f"| {title}, {kind} | at most {most:,} | {found:,.0f} | {verdict} |")
    return rows
