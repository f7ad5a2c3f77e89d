"""Floods of strangers beside honest clients: `python -m tools.endurance.floods`.

The server has one core to itself; floods and honest clients share the other. The quotas are those of the contract; the
honest key has one of its own. The baseline is the same honest load beside a process that takes as much of that core as
the floods did.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from models import keys, organizations
from models.db import migrate
from tools.endurance import flood_generators, honest_load, resource_usage
from tools.endurance.flood_generators import KINDS, Outcome
from tools.endurance.honest_load import Result
from tools.endurance.report import Figure, at_most, exactly, show
from tools.testing import databases, seed
from tools.testing.server_process import Running, connected, running
from tools.testing.service import HOME, PEPPER, READ, ROOT, WRITE

MEMORY_MIB, MAX_SLOWDOWN = 256, 3.0
WARM_UP_SECONDS, REST_SECONDS, BASELINE_SECONDS = 5, 2, 60
COLLECTIONS, TRACKS = 1000, 100
HONEST_RATE, STRANGERS_RATE = "1000000/minute", "500/minute"


@dataclass(frozen=True)
class Measured:
    """One run; memory in MiB."""

    baseline: Result
    honest: Result
    floods: Outcome
    peak_resident: float
    peak_proportional: float
    resident_afterwards: float


@contextlib.contextmanager
def _server(url: str, folder: Path, tree: Path, core: int) -> Iterator[Running]:
    """A server with the contract's quotas, pinned to one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        with running(url, folder, tree=tree, RATE_LIMIT="", TRUSTED_PROXIES=flood_generators.PROXY) as server:
            os.sched_setaffinity(0, before)
            yield server
    finally:
        os.sched_setaffinity(0, before)


def measure(kind: str, folder: Path, names: list[str], seconds: float, tree: Path, progress: Progress) -> Measured:
    """Runs the floods beside the honest load, then the honest load alone on a new server."""
    cores = sorted(os.sched_getaffinity(0))
    server_core, load_core = cores[0], cores[-1]
    spawn = multiprocessing.get_context("spawn")
    with databases.fresh(kind, folder) as url, ProcessPoolExecutor(2, mp_context=spawn) as pool:
        honest_key, strangers_key = _fill(url)
        with _server(url, folder, tree, server_core) as server:
            pool.submit(honest_load.run, server.port, honest_key, WARM_UP_SECONDS, load_core).result()
            flooding = pool.submit(
                flood_generators.run, server.port, names, strangers_key, seconds + REST_SECONDS, load_core
            )
            time.sleep(REST_SECONDS)
            load = pool.submit(honest_load.run, server.port, honest_key, seconds, load_core)
            peak = _watched(server, load, seconds, f"{kind}: {', '.join(names)}", progress)
            honest, floods = load.result(), flooding.result()
            time.sleep(REST_SECONDS)
            afterwards = resource_usage.measure(server).resident
    with databases.fresh(kind, folder) as url, ProcessPoolExecutor(2, mp_context=spawn) as pool:
        honest_key, _ = _fill(url)
        with _server(url, folder, tree, server_core) as server:
            pool.submit(honest_load.run, server.port, honest_key, WARM_UP_SECONDS, load_core).result()
            short = min(seconds, BASELINE_SECONDS)
            spinning = pool.submit(flood_generators.spin, floods.core_share, short, load_core)
            baseline = pool.submit(honest_load.run, server.port, honest_key, short, load_core).result()
            spinning.result()
    return Measured(baseline, honest, floods, *peak, afterwards)


def _fill(url: str) -> tuple[str, str]:
    """Fills a new database; returns the key of the honest clients and the key of a stranger."""
    migrate.upgrade(url)
    seed.fill(url, COLLECTIONS, 1, TRACKS, lambda _count: None)
    with connected(url):
        organizations.join(HOME, "user_stranger")
        people = ((seed.user(0), HONEST_RATE), ("user_stranger", STRANGERS_RATE))
        first, second = (
            keys.make(HOME, user, (READ, WRITE), pepper=PEPPER.encode(), rate_limit=rate)[1] for user, rate in people
        )
    return first, second


def _watched(
    server: Running, load: Future[Result], seconds: float, label: str, progress: Progress
) -> tuple[float, float]:
    """The highest resident and proportional memory in MiB while the load runs."""
    resident = proportional = 0.0
    task, started = progress.add_task(label, total=seconds), time.monotonic()
    while not load.done():
        usage = resource_usage.measure(server)
        resident, proportional = max(resident, usage.resident), max(proportional, usage.proportional)
        progress.update(task, completed=time.monotonic() - started)
        time.sleep(0.5)
    return resident, proportional


def figures(kind: str, found: Measured) -> list[Figure]:
    """The figures with their limits."""
    honest, limit = found.honest, found.baseline.p99 * MAX_SLOWDOWN
    return [
        exactly(f"floods: honest requests refused of {honest.requests:,}", kind, honest.refused, 0),
        exactly("floods: honest requests broken", kind, honest.broken, 0),
        at_most(f"floods: p99, p50 {honest.p50:.1f} ms", kind, honest.p99, limit, " ms"),
        at_most("floods: peak RSS", kind, found.peak_resident, MEMORY_MIB, " MiB"),
        at_most("floods: peak PSS", kind, found.peak_proportional, MEMORY_MIB, " MiB"),
    ]


def show_floods(found: Measured, console: Console) -> None:
    """Prints what each flood got."""
    table = Table("Flood", "Connections", "Responses, and ends of connections", box=None, header_style="bold")
    for name, effects in found.floods.effects.items():
        rest = ", ".join(f"{what}: {count:,}" for what, count in effects.items() if what != "connections")
        table.add_row(name, f"{effects.get('connections', 0):,}", rest)
    console.print(table)
    console.print(
        f"Honest p50/p99/max {found.honest.p50:.1f}/{found.honest.p99:.1f}/{found.honest.max:.1f} ms, without floods "
        f"{found.baseline.p50:.1f}/{found.baseline.p99:.1f}/{found.baseline.max:.1f} ms. The floods took "
        f"{found.floods.core_share:.0%} of a core. RSS afterwards {found.resident_afterwards:.0f} MiB."
    )


def _view(found: Measured, result: list[Figure]) -> dict[str, Any]:
    view = asdict(found)
    for name in ("baseline", "honest", "floods"):
        view[name] = getattr(found, name)._asdict()
    return view | {"figures": [figure._asdict() for figure in result]}


def main(words: list[str]) -> int:
    """The exit status: 0 when every figure is within its limit."""
    ask = argparse.ArgumentParser(prog="python -m tools.endurance.floods", description=(__doc__ or "").split("\n")[0])
    ask.add_argument("--minutes", type=float, default=10, help="how long the floods run (default %(default)s)")
    ask.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS), help="these floods only")
    ask.add_argument("--database", choices=databases.KINDS, default="sqlite")
    ask.add_argument("--tree", type=Path, default=ROOT, help="run the server of another checkout")
    ask.add_argument("--json", action="store_true", help="print JSON")
    chosen = ask.parse_args(words)
    console = Console()
    with Progress(console=Console(stderr=True)) as progress, tempfile.TemporaryDirectory() as folder:
        found = measure(chosen.database, Path(folder), chosen.only, chosen.minutes * 60, chosen.tree, progress)
    result = figures(chosen.database, found)
    if chosen.json:
        print(json.dumps(_view(found, result), indent=2))
    else:
        show_floods(found, console)
        show(result, console)
    return 0 if all(figure.kept for figure in result) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
