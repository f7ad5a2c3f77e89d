"""Prometheus metrics of jobs and segments: their queues, and what the processes that make music have done."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import orjson
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

PREFIX = "music_studio_"
COUNTERS = {
    "pieces": "Pieces of music made.",
    "seconds": "Seconds of music made.",
    "failures": "Jobs that failed.",
    "refusals": "Jobs that the policy or the engine refused.",
}
NAMES = {"pieces": "pieces", "seconds": "audio_seconds", "failures": "jobs_failed", "refusals": "jobs_refused"}


QUEUES = ("job", "segment")


class Queue(Protocol):
    """The state of a queue."""

    @property
    def queued(self) -> int: ...

    @property
    def running(self) -> int: ...

    @property
    def oldest_seconds(self) -> float: ...


class JobMetricsCollector(Collector):
    """Reads the queues at each scrape, and sums the files of the workers. A dead worker's counters still count."""

    def __init__(self, folder: Path, read_queues: Callable[[], Mapping[str, Queue]]) -> None:
        self._folder = folder
        self._read_queues = read_queues

    def collect(self) -> Iterator[Metric]:
        """All metrics; without a database those of the queues have no samples."""
        states = self._read_queues()
        for waiting in QUEUES:
            yield from _queue(waiting, states.get(waiting))
        found = [(file, _read(file)) for file in self._folder.glob("studio-*.json")]
        workers = [(file, values) for file, values in found if values is not None]
        for field, description in COUNTERS.items():
            total = sum(values[field] for _, values in workers)
            yield CounterMetricFamily(PREFIX + NAMES[field], description, total)
        alive = [values for file, values in workers if _is_running(file)]
        yield GaugeMetricFamily(PREFIX + "studio_workers", "Processes that make music.", len(alive))
        memory = sum(values["memory_bytes"] for values in alive)
        yield GaugeMetricFamily(
            PREFIX + "studio_memory_bytes", "Resident memory of the processes that make music.", memory
        )


def _queue(waiting: str, state: Queue | None) -> Iterator[Metric]:
    name, oldest_name = f"{PREFIX}{waiting}s", f"{PREFIX}oldest_{waiting}_seconds"
    numbers = GaugeMetricFamily(name, f"{waiting.capitalize()}s that wait and {waiting}s at work.", labels=("status",))
    oldest = GaugeMetricFamily(oldest_name, f"Seconds for which the oldest {waiting} has waited.")
    if state is not None:
        numbers.add_metric(("queued",), state.queued)
        numbers.add_metric(("running",), state.running)
        oldest.add_metric((), state.oldest_seconds)
    yield numbers
    yield oldest


def _read(file: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        values = orjson.loads(file.read_bytes())
        if isinstance(values, dict) and values.keys() >= {*COUNTERS, "memory_bytes"}:
            return values
    return None


def _is_running(file: Path) -> bool:
    try:
        os.kill(int(file.stem.removeprefix("studio-")), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
