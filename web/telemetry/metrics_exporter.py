"""The metrics of all workers on a port of their own, in the form that Prometheus reads."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

PREFIX = "music_studio_"
GAUGES = {
    "requests_in_flight": "Requests that wait for their answer.",
    "database_connections_in_use": "Connections to the database that somebody works with.",
    "rate_limit_store_unavailable": "Workers that count alone because the rate limit store is unavailable.",
    "memory_bytes": "Resident memory of the workers.",
}


def serve(host: str, port: int) -> Path:
    """Answers scrapes from now on, in a thread; the folder is where the workers have to leave their figures."""
    folder = Path(tempfile.mkdtemp(prefix="music-studio-metrics-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(WorkerMetricsCollector(folder))
    start_http_server(port, host, registry)
    return folder


class Worker(NamedTuple):
    """What one process has left; a dead one's requests were made all the same, but it holds nothing any more."""

    alive: bool
    figures: dict[str, Any]


class WorkerMetricsCollector(Collector):
    """Adds up what the workers of one service have left in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Every metric there is; with no worker, each without a value."""
        workers = [
            Worker(_is_running(int(file.stem)), orjson.loads(file.read_bytes())) for file in self._folder.glob("*.json")
        ]
        alive = [worker.figures for worker in workers if worker.alive]
        yield _requests([worker.figures for worker in workers])
        yield _refusals([worker.figures for worker in workers])
        yield GaugeMetricFamily(f"{PREFIX}workers", "Processes that answer requests.", len(alive))
        for name, meaning in GAUGES.items():
            total = sum(figures["gauges"][name] for figures in alive)
            yield GaugeMetricFamily(PREFIX + name, meaning, total)


def _requests(workers: list[dict[str, Any]]) -> Metric:
    family = HistogramMetricFamily(
        f"{PREFIX}request_seconds", "Requests that were answered, and how long it took.", labels=("operation", "status")
    )
    cells: dict[tuple[str, str], list[float]] = {}
    for figures in workers:
        for operation, status, *cell in figures["requests"]:
            name = (operation or "none", str(status))
            cells[name] = [a + b for a, b in zip(cells.get(name, [0.0] * len(cell)), cell, strict=True)]
    for name, (*counts, seconds) in sorted(cells.items()):
        family.add_metric(name, _buckets(workers[0]["bounds"], counts), seconds)
    return family


def _buckets(bounds: list[float], counts: list[float]) -> list[tuple[str, float]]:
    """Each bucket holds those of the faster ones too."""
    names = [*(str(bound) for bound in bounds), "+Inf"]
    return [(name, sum(counts[: index + 1])) for index, name in enumerate(names)]


def _refusals(workers: list[dict[str, Any]]) -> Metric:
    family = CounterMetricFamily(
        f"{PREFIX}rate_limit_refusals", "Requests that were refused because a quota was spent.", labels=("quota",)
    )
    for name in sorted({name for figures in workers for name in figures["refusals"]}):
        family.add_metric((name,), sum(figures["refusals"].get(name, 0) for figures in workers))
    return family


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
