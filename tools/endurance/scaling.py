"""Throughput of two workers compared with one, and memory per worker: `python -m tools.endurance.scaling`."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tools.bench import load
from tools.endurance import resource_usage
from tools.endurance.workload import CONNECTIONS, Loaded, database
from tools.testing import databases
from tools.testing.server_process import running

COUNTS, WARM_UP_SECONDS = (1, 2), 2
NOTE = """\
Load generator, database and workers share the cores of this machine ({cores}). With fewer cores than processes, a
second worker only gets the remaining processor time, and the factor is a lower bound."""


class Round(NamedTuple):
    """One run; memory in MiB and PostgreSQL sessions per worker."""

    workers: int
    rate: float
    p99_ms: float
    proportional: float
    resident: float
    sessions: float


def rounds(kind: str, folder: Path, count: int, seconds: int, console: Console) -> Iterator[Round]:
    """Runs one and two workers in turn on one database; one server at a time, so that none shares memory pages."""
    with database(kind, folder) as (url, table):
        for number in track(range(count * len(COUNTS)), "1 and 2 workers", console=console):
            workers = COUNTS[number % len(COUNTS)]
            with running(url, folder, workers=workers, LOG_LEVEL="error") as server:
                yield _round(workers, Loaded(server, table), seconds)


def _round(workers: int, place: Loaded, seconds: int) -> Round:
    _load(place, WARM_UP_SECONDS)
    found = _load(place, seconds)
    usage = resource_usage.measure(place.server)
    each = [value / workers for value in (usage.proportional, usage.resident, usage.sessions)]
    return Round(workers, found.rate, found.p99, *each)


def _load(place: Loaded, seconds: int) -> load.Result:
    cores = ",".join(map(str, os.sched_getaffinity(0)))
    found = load.run(place.server.port, place.requests, core=cores, seconds=seconds, connections=CONNECTIONS)
    if found.refused:
        raise RuntimeError(f"{found.refused} of {found.requests} responses were errors; see {place.server.log}")
    return found


def medians(found: list[Round]) -> list[Round]:
    """The median of every figure per number of workers."""
    groups = [[one for one in found if one.workers == count] for count in COUNTS]
    return [Round._make(statistics.median(column) for column in zip(*group, strict=True)) for group in groups]


def main(words: list[str]) -> int:
    """Prints a table, or JSON."""
    ask = argparse.ArgumentParser(prog="python -m tools.endurance.scaling", description=__doc__)
    ask.add_argument("--rounds", type=int, default=5, help="runs of each (default %(default)s)")
    ask.add_argument("--seconds", type=int, default=5, help="how long a run takes (default %(default)s)")
    ask.add_argument("--database", choices=databases.KINDS, default="postgresql")
    ask.add_argument("--json", action="store_true", help="print JSON")
    chosen = ask.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        found = list(rounds(chosen.database, Path(folder), chosen.rounds, chosen.seconds, Console(stderr=True)))
    one, two = medians(found)
    if chosen.json:
        result = {"rounds": [each._asdict() for each in found], "medians": [one._asdict(), two._asdict()]}
        print(json.dumps(result | {"factor": two.rate / one.rate, "cores": len(os.sched_getaffinity(0))}, indent=2))
    else:
        _show(one, two)
    return 0


def _show(one: Round, two: Round) -> None:
    table = Table(
        "Workers",
        "Requests/s",
        "p99 ms",
        "PSS MiB each",
        "RSS MiB each",
        "Sessions each",
        box=None,
        header_style="bold",
    )
    for each in (one, two):
        memory = (f"{each.proportional:.0f}", f"{each.resident:.0f}", f"{each.sessions:.0f}")
        table.add_row(f"{each.workers:.0f}", f"{each.rate:.0f}", f"{each.p99_ms:.1f}", *memory)
    Console().print(table)
    print(f"Factor {two.rate / one.rate:.2f}. {NOTE.format(cores=len(os.sched_getaffinity(0)))}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
