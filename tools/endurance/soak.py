"""Soak test: half of the capacity for minutes, with a check for growing resources: `python -m tools.endurance.soak`."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress

from tools.bench import load
from tools.endurance import resource_usage
from tools.endurance.report import Figure, at_most, exactly, show
from tools.endurance.resource_usage import ResourceUsage
from tools.endurance.workload import CONNECTIONS, Loaded, loaded
from tools.testing import databases

CAPACITY_SECONDS, SAMPLE_SECONDS = 15, 1.0
MAX_GROWTH, MIN_SHARE = 5.0, 40
# Share of the run that is warm-up, and share at each end of the rest that is compared.
WARM_UP, COMPARED = 0.2, 0.25
COUNTED = ("threads", "files", "sessions")


class Soak(NamedTuple):
    """Result of the load, and resource usage once a second."""

    workers: int
    capacity: float
    result: load.Result
    usage: list[ResourceUsage]


def soak(kind: str, folder: Path, workers: int, minutes: float, progress: Progress) -> Soak:
    """Measures the capacity, then runs half of it for so many minutes."""
    with loaded(kind, folder, workers) as place:
        capacity = _run(place, CAPACITY_SECONDS, None, f"{kind}: capacity", progress)[0].rate
        half = capacity / 2
        # First estimate of the pause per connection for half the rate, corrected by a trial run.
        pause = CONNECTIONS / half * 1000
        trial = _run(place, CAPACITY_SECONDS, round(pause), f"{kind}: trial", progress)[0].rate
        pause -= CONNECTIONS / trial * 1000 - pause
        seconds, label = max(1, round(minutes * 60)), f"{kind}: {half:.0f} requests/s"
        result, seen = _run(place, seconds, max(0, round(pause)), label, progress)
    return Soak(workers, capacity, result, seen)


def _load(place: Loaded, seconds: int, pause_ms: int | None) -> load.Result:
    cores = ",".join(map(str, os.sched_getaffinity(0)))
    port, table = place.server.port, place.requests
    return load.run(port, table, core=cores, seconds=seconds, connections=CONNECTIONS, pause_ms=pause_ms)


def _run(
    place: Loaded, seconds: int, pause_ms: int | None, label: str, progress: Progress
) -> tuple[load.Result, list[ResourceUsage]]:
    """Runs the load; returns its result and the resource usage of the server."""
    started, seen, task = time.monotonic(), list[ResourceUsage](), progress.add_task(label, total=seconds)
    with ThreadPoolExecutor(1) as other:
        run = other.submit(_load, place, seconds, pause_ms)
        while not run.done():
            time.sleep(SAMPLE_SECONDS)
            seen.append(resource_usage.measure(place.server))
            progress.update(task, completed=time.monotonic() - started)
    return run.result(), seen


def figures(kind: str, found: Soak) -> list[Figure]:
    """The figures of a soak test with their limits."""
    result, label = found.result, f"soak, {found.workers} worker{'s'[: found.workers - 1]}"
    early, late = _ends(found.usage)
    broken = result.connect + result.read + result.write + result.timeout
    counts = {name: [[getattr(one, name) for one in end] for end in (early, late)] for name in COUNTED}
    share = result.rate / found.capacity * 100
    rate = f"{result.rate:.0f}/s, {share:.0f} % of {found.capacity:.0f}/s"
    return [
        Figure(f"{label}: rate", kind, rate, f">= {MIN_SHARE} %", share >= MIN_SHARE),
        exactly(f"{label}: failed of {result.requests:,} responses", kind, result.refused, 0),
        exactly(f"{label}: broken connections", kind, broken, 0),
        at_most(f"{label}: memory growth", kind, _growth(early, late), MAX_GROWTH, " %"),
        *(exactly(f"{label}: {what} more than {max(ends[0])}", kind, _more(*ends), 0) for what, ends in counts.items()),
    ]


def _ends(seen: Sequence[ResourceUsage]) -> tuple[Sequence[ResourceUsage], Sequence[ResourceUsage]]:
    """The first samples after the warm-up, and the last ones."""
    warm = seen[int(len(seen) * WARM_UP) :]
    part = max(1, int(len(warm) * COMPARED))
    return warm[:part], warm[-part:]


def _growth(early: Sequence[ResourceUsage], late: Sequence[ResourceUsage]) -> float:
    """Growth of the median memory, in percent."""
    first, last = (statistics.median(one.proportional for one in samples) for samples in (early, late))
    return max(0.0, (last / first - 1) * 100)


def _more(early: Sequence[int], late: Sequence[int]) -> int:
    """Difference between the maximum of the late and of the early samples."""
    return max(0, max(late) - max(early))


def main(words: list[str]) -> int:
    """The exit status: 0 when every figure is within its limit."""
    ask = argparse.ArgumentParser(prog="python -m tools.endurance.soak", description=__doc__)
    ask.add_argument("--minutes", type=float, default=10, help="how long the load runs (default %(default)s)")
    ask.add_argument("--workers", type=int, default=2, help="processes of the server (default %(default)s)")
    ask.add_argument("--database", choices=databases.KINDS, default="postgresql")
    ask.add_argument("--json", action="store_true", help="print JSON")
    chosen = ask.parse_args(words)
    with Progress(console=Console(stderr=True)) as progress, tempfile.TemporaryDirectory() as folder:
        found = soak(chosen.database, Path(folder), chosen.workers, chosen.minutes, progress)
    result = figures(chosen.database, found)
    if chosen.json:
        print(json.dumps(_view(found, result), indent=2))
    else:
        show(result, Console())
    return 0 if all(figure.kept for figure in result) else 1


def _view(found: Soak, result: list[Figure]) -> dict[str, object]:
    seen = [one._asdict() for one in found.usage]
    own = {"workers": found.workers, "capacity": found.capacity, "result": asdict(found.result), "seen": seen}
    return own | {"figures": [figure._asdict() for figure in result]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
