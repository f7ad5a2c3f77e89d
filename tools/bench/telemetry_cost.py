"""Cost of logging, metrics and rate limits: one GET with and without each, `python -m tools.bench.telemetry_cost`."""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median, quantiles

from tools.bench import databases, goals, inprocess, load, servers
from tools.bench.fake_transport import Connection
from tools.bench.inprocess import Sample
from tools.bench.progress import Bar
from tools.bench.report import RESULTS
from tools.bench.targets import BY_NAME, OURS
from tools.bench.workloads import Request
from web.telemetry.access_log import access_log
from web.telemetry.metrics import request_metrics

ROUNDS, BATCH, WARM = 500, 20, 400
# Quotas that this program does not exceed; their cost does not depend on their size.
AMPLE = "100000000/minute"
PARTS = {
    "nothing": (),
    "log lines": ("lines",),
    "metrics": ("metrics",),
    "quotas": ("quotas",),
    "all three": ("lines", "metrics", "quotas"),
}
WIRE_SECONDS = 1
NOTHING = {"MUSIC_STUDIO_LOG_LEVEL": "warning"}
EVERYTHING = {"MUSIC_STUDIO_RATE_LIMIT": AMPLE, "MUSIC_STUDIO_RATE_LIMIT_ADDRESS": AMPLE}
METRICS = "MUSIC_STUDIO_METRICS_PORT"
WIRE = """\
Method: wrk loads two servers in turns, one with log lines, metrics and quotas and one without, with 16 connections from
another core. A time is the processor time of the server per request, the median of the pairs; a ratio is the median of
the ratios within a pair. Each pair is a new pair of processes: two processes with the same work differ by some per cent
during their lifetime, because their memory layout differs."""
METHOD = """\
Method: the application runs in this process on uvloop and SQLite; complete requests go through the HTTP protocol
without a socket. Every round sends a small batch with each combination; a time is the first decile of the processor
time of the batches, because other load on the machine only adds time. Log lines go to a file. The kernel's part of a
request (sockets) is not included, so the ratios over a network are nearer to 1."""


def main() -> int:
    """Measures and prints the results."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.telemetry_cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how many rounds are measured")
    parser.add_argument("--wire", type=int, default=0, metavar="N", help="N pairs of servers under wrk, in turns")
    parser.add_argument("--database", choices=databases.KINDS, default="sqlite", help="the database of the two servers")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if options.wire:
        results = _over_the_wire(options.database, options.wire)
        _keep(options.database, results["all three"]["ratio"])
        return _show(results, options.json, WIRE)
    with inprocess.open_sample() as sample, Bar("Measuring", options.rounds) as bar:
        rounds = inprocess.run(_rounds(sample, options.rounds, bar))
    deciles = {name: quantiles((r[name] for r in rounds), n=10)[0] for name in PARTS}
    results = {name: {"us": us, "ratio": us / deciles["nothing"]} for name, us in deciles.items()}
    return _show(results, options.json, METHOD)


def _keep(kind: str, ratio: float) -> None:
    """Leaves the ratio for the goals of the next report."""
    kept = goals.telemetry(RESULTS) | {kind: ratio}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "telemetry.json").write_text(json.dumps(kept) + "\n", encoding="utf-8")


def _show(results: dict[str, dict[str, float]], as_json: bool, method: str) -> int:
    rows = [f"{name:<10} {figures['us']:8.1f} us {figures['ratio']:7.3f}" for name, figures in results.items()]
    text = "\n".join(["with            a GET   ratio", *rows, "", method])
    print(json.dumps(results, indent=1) if as_json else text)
    return 0


def _over_the_wire(kind: str, pairs: int) -> dict[str, dict[str, float]]:
    """Processor time of one request on a server with all telemetry and quotas, and on one without."""
    temporary = tempfile.TemporaryDirectory(prefix="music-studio-seeing-")
    with inprocess.open_sample(kind) as sample, temporary as folder, Bar("Measuring", pairs) as bar:
        results = []
        for _ in range(pairs):
            results.append(_pair(sample, Path(folder)))
            bar.step()
    return {
        name: {"us": median(r[name] for r in results), "ratio": median(r[name] / r["nothing"] for r in results)}
        for name in results[0]
    }


def _pair(sample: Sample, folder: Path) -> dict[str, float]:
    """The times of two new servers; each is loaded first once and second once."""
    core, other, _ = databases.cores()
    table, request = folder / "requests.lua", Request("GET", sample.path, sample.key, "")
    load.write_table([request], table)
    start = partial(servers.running, BY_NAME[OURS], sample.settings.database_url, inprocess.PEPPER, request, core=core)
    kinds = {"nothing": NOTHING, "all three": EVERYTHING | {METRICS: str(_free_port())}}
    with contextlib.ExitStack() as stack:
        running = {
            name: stack.enter_context(start(log=folder / f"{name}.log", extra=extra)) for name, extra in kinds.items()
        }
        turns = [{name: _loaded(running[name], table, other) for name in order} for order in (kinds, reversed(kinds))]
    return {name: sum(turn[name] for turn in turns) / len(turns) for name in kinds}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _loaded(server: servers.Server, table: Path, core: int) -> float:
    before = server.cpu_seconds()
    result = load.run(server.port, table, core=core, seconds=WIRE_SECONDS, connections=16)
    if result.refused:
        raise RuntimeError("The response to the sample's GET was not 200")
    return (server.cpu_seconds() - before) / result.requests * 1e6


async def _rounds(sample: Sample, count: int, bar: Bar) -> list[dict[str, float]]:
    limited = replace(sample, settings=replace(sample.settings, rate_limit=AMPLE, rate_limit_address=AMPLE))
    connections = {True: Connection(inprocess.application(limited)), False: Connection(inprocess.application(sample))}
    request, results = sample.to_bytes(), []
    for parts in PARTS.values():
        await _batch(connections["quotas" in parts], request, WARM)
    for number in range(count):
        # Every second round has the reverse order, so that a gradual change of the machine's speed favors none.
        names = list(PARTS) if number % 2 else list(reversed(PARTS))
        figures = {}
        for name in names:
            with _telemetry(lines="lines" in PARTS[name], metrics="metrics" in PARTS[name]):
                figures[name] = await _batch(connections["quotas" in PARTS[name]], request, BATCH)
        results.append(figures)
        bar.step()
    return results


async def _batch(connection: Connection, request: bytes, size: int) -> float:
    """Processor time of one request in microseconds."""
    started = time.process_time()
    for _ in range(size):
        await connection.send(request)
    return (time.process_time() - started) / size * 1e6


@contextlib.contextmanager
def _telemetry(*, lines: bool, metrics: bool) -> Iterator[None]:
    write = access_log.write
    access_log.flush()
    access_log.write, request_metrics.on = write if lines else None, metrics
    try:
        yield
        access_log.flush()
    finally:
        access_log.write, request_metrics.on = write, False


if __name__ == "__main__":
    raise SystemExit(main())
