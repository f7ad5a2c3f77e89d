"""Request metrics of one worker: counters and gauges, written to a file of its own once a second.

Decision 44.
"""

from __future__ import annotations

import atexit
import os
from bisect import bisect_left
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson

from web.periodic_thread import PeriodicThread

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
WRITE_SECONDS = 1.0
Gauges = Mapping[str, Callable[[], float]]


class RequestMetrics:
    """Histogram of one process. Counting a request costs one look-up and two additions, and nothing while off."""

    def __init__(self) -> None:
        self.on = False
        self._cells: dict[tuple[str | None, int], list[float]] = {}

    def observe(self, operation: str | None, status: int, seconds: float) -> None:
        """Counts a request and its duration."""
        cell = self._cells.get((operation, status))
        if cell is None:
            cell = self._cells[operation, status] = [0.0] * (len(BOUNDS) + 2)
        cell[bisect_left(BOUNDS, seconds)] += 1.0
        cell[-1] += seconds

    def start(self, folder: str, gauges: Gauges, rejections: Mapping[str, int], lost: Callable[[], int]) -> None:
        """Starts counting, and writes the metrics to `folder` once a second and at exit.

        `rejections` are counters by quota, `lost` reads the counter of lost log lines.
        """
        self.on = True
        file = Path(folder) / f"{os.getpid()}.json"

        def write() -> None:
            values = self._values(gauges, rejections) | {"log_lines_lost": lost()}
            file.parent.mkdir(mode=0o700, exist_ok=True)  # made again if somebody has removed it
            new = file.with_suffix(".new")
            new.write_bytes(orjson.dumps(values))
            new.replace(file)

        thread = PeriodicThread("metrics", write, WRITE_SECONDS)
        thread.start()
        atexit.register(thread.stop, once_more=True)

    def _values(self, gauges: Gauges, rejections: Mapping[str, int]) -> dict[str, object]:
        """Counts per bucket, fastest first, then the sum of the seconds."""
        return {
            "bounds": BOUNDS,
            "requests": [[operation, status, *cell] for (operation, status), cell in list(self._cells.items())],
            "rejections": dict(rejections),
            "gauges": {name: read() for name, read in gauges.items()},
        }


request_metrics = RequestMetrics()


def resident_memory_bytes() -> float:
    """Resident memory of this process in bytes; 0 on systems without /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
