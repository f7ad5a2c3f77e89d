"""What it costs to log, to measure and to limit: one GET with each and without, in turns: `python -m bench.seeing`."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from typing import Any

from bench import inprocess
from bench.inprocess import Sample
from bench.progress import Bar
from bench.wire import Connection
from edge import logs
from edge.metrics import meter

ROUNDS, BATCH, WARM = 41, 200, 400
# Quotas that this program does not use up; what they cost does not depend on their size.
AMPLE = "100000000/minute"
PARTS = {
    "nothing": (),
    "log lines": ("lines",),
    "metrics": ("metrics",),
    "quotas": ("quotas",),
    "all three": ("lines", "metrics", "quotas"),
}
METHOD = """\
Method: the application runs in this process on uvloop and SQLite; whole requests go through the HTTP protocol without a
socket. Every round asks a batch of each kind, one kind after another; the times are processor time, the medians of all
rounds, and a ratio is the median of the ratios to "nothing" within a round. Log lines go to a file. The kernel's part
of a request (sockets) is not in it, so over the wire the ratios are nearer to 1."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.seeing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how many rounds are measured")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    with inprocess.opened() as sample, Bar("Measuring", chosen.rounds) as bar:
        rounds = inprocess.alone(_rounds(sample, chosen.rounds, bar))
    found = {
        name: {"us": median(r[name] for r in rounds), "ratio": median(r[name] / r["nothing"] for r in rounds)}
        for name in PARTS
    }
    print(json.dumps(found, indent=1) if chosen.json else _text(found))
    return 0


async def _rounds(sample: Sample, count: int, bar: Bar) -> list[dict[str, float]]:
    limited = replace(sample, settings=replace(sample.settings, rate_limit=AMPLE, rate_limit_address=AMPLE))
    connections = {True: Connection(inprocess.application(limited)), False: Connection(inprocess.application(sample))}
    request, found = sample.wire(), []
    for parts in PARTS.values():
        await _batch(connections["quotas" in parts], request, WARM)
    for number in range(count):
        # Every second round goes the other way, so that a machine that gets slower or faster favours nobody.
        names = list(PARTS) if number % 2 else list(reversed(PARTS))
        figures = {}
        for name in names:
            with _seeing("lines" in PARTS[name], "metrics" in PARTS[name]):
                figures[name] = await _batch(connections["quotas" in PARTS[name]], request, BATCH)
        found.append(figures)
        bar.step()
    return found


async def _batch(connection: Connection, request: bytes, size: int) -> float:
    """Microseconds of processor time of one request."""
    started = time.process_time()
    for _ in range(size):
        await connection.ask(request)
    return (time.process_time() - started) / size * 1e6


@contextlib.contextmanager
def _seeing(lines: bool, metrics: bool) -> Iterator[None]:
    tell = logs.requests.tell
    meter.on = metrics
    if not lines:
        logs.requests.tell = _nothing
    try:
        yield
    finally:
        logs.requests.tell, meter.on = tell, False


def _nothing(*_: Any) -> None:
    """What is told when nothing is told."""


def _text(found: dict[str, dict[str, float]]) -> str:
    rows = [f"{name:<10} {figures['us']:8.1f} us {figures['ratio']:7.3f}" for name, figures in found.items()]
    return "\n".join(["with            a GET   ratio", *rows, "", METHOD])


if __name__ == "__main__":
    raise SystemExit(main())
