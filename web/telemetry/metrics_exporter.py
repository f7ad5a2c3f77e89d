"""Prometheus exporter: serves the metrics of all workers on a port of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from web.telemetry.worker_metrics import JobMetricsCollector, Queue

PREFIX = "music_studio_"
KEYS = {"bounds", "requests", "rejections", "gauges", "log_lines_lost"}
GAUGES = {
    "requests_in_flight": "Requests in flight.",
    "database_connections_in_use": "Database connections in use.",
    "rate_limit_store_unavailable": "Workers that count in memory because the rate limit store is unavailable.",
    "memory_bytes": "Resident memory of the workers.",
}


def serve(host: str, port: int, read_queues: Callable[[], Mapping[str, Queue]] = dict) -> Path:
    """Serves scrapes in a thread; returns the folder for the workers' metrics files.

    `read_queues` gives the state of the queues of jobs and segments, and none if the database is unavailable.
    """
    folder = Path(tempfile.mkdtemp(prefix="music-studio-metrics-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(WorkerMetricsCollector(folder))
    registry.register(JobMetricsCollector(folder, read_queues))
    _, thread = start_http_server(port, host, registry)
    thread.name = "metrics exporter"
    return folder


class Worker(NamedTuple):
    """Metrics of one worker process. The counters of a dead worker still count, its gauges do not."""

    alive: bool
    values: dict[str, Any]


class WorkerMetricsCollector(Collector):
    """Sums the metrics files of all workers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """All metrics; without workers, each has no samples."""
        workers = [worker for worker in map(_read, self._folder.glob("*.json")) if worker is not None]
        alive = [worker.values for worker in workers if worker.alive]
        yield _requests([worker.values for worker in workers])
        yield _rejections([worker.values for worker in workers])
        yield CounterMetricFamily(
            f"{PREFIX}log_lines_lost",
            "Log lines lost because standard error did not take them.",
            sum(worker.values["log_lines_lost"] for worker in workers),
        )
        yield GaugeMetricFamily(f"{PREFIX}workers", "Worker processes that serve requests.", len(alive))
        for name, description in GAUGES.items():
            total = sum(values["gauges"][name] for values in alive)
            yield GaugeMetricFamily(PREFIX + name, description, total)


def _read(file: Path) -> Worker | None:
    """The metrics of one file; None for a file that no worker has written, or that is gone by now."""
    try:
        values = orjson.loads(file.read_bytes())
        return Worker(_is_running(int(file.stem)), values) if values.keys() >= KEYS else None
    except (OSError, ValueError, OverflowError, AttributeError):
        return None


def _requests(workers: list[dict[str, Any]]) -> Metric:
    family = HistogramMetricFamily(
        f"{PREFIX}request_seconds", "Duration of requests in seconds.", labels=("operation", "status")
    )
    cells: dict[tuple[str, str], list[float]] = {}
    for values in workers:
        for operation, status, *cell in values["requests"]:
            name = (operation or "none", str(status))
            cells[name] = [a + b for a, b in zip(cells.get(name, [0.0] * len(cell)), cell, strict=True)]
    for name, (*counts, seconds) in sorted(cells.items()):
        family.add_metric(name, _buckets(workers[0]["bounds"], counts), seconds)
    return family


def _buckets(bounds: list[float], counts: list[float]) -> list[tuple[str, float]]:
    """Cumulative buckets: each includes the faster ones."""
    names = [*(str(bound) for bound in bounds), "+Inf"]
    return [(name, sum(counts[: index + 1])) for index, name in enumerate(names)]


def _rejections(workers: list[dict[str, Any]]) -> Metric:
    family = CounterMetricFamily(
        f"{PREFIX}rate_limit_rejections", "Requests refused because they exceeded a quota.", labels=("quota",)
    )
    for name in sorted({name for values in workers for name in values["rejections"]}):
        family.add_metric((name,), sum(values["rejections"].get(name, 0) for values in workers))
    return family


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
