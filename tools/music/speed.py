"""Measures how fast pieces of three lengths are made on one core, what memory it takes, and where the time goes.

`python -m tools.music.speed`: each piece is made by a process of its own, as MP3.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress

from studio import brief, production
from studio.engines.computed import ENGINES
from tools.endurance.report import Figure, at_most, show

PROMPT = "calm piano and strings, 80 bpm"
LENGTHS = (30, 180, 600)
LEAST, MEMORY_MIB = 15.0, 300.0


class Made(NamedTuple):
    """Seconds of each stage, and the highest resident memory of the process in MiB."""

    composing: float
    rendering: float
    mastering: float
    encoding: float
    peak_mib: float

    @property
    def seconds(self) -> float:
        """All stages together."""
        return self.composing + self.rendering + self.mastering + self.encoding


def make(engine: str, seconds: int) -> Made:
    """Makes a piece in this process, on one core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    wanted = brief.read(PROMPT, seconds, seed=1)
    started = time.perf_counter()
    ENGINES[engine].compose(wanted)
    composing = time.perf_counter() - started
    reached = [time.perf_counter()] * 3

    def on_progress(share: float) -> None:
        for stage, end in enumerate(production.STAGE_ENDS):
            if share <= end:
                reached[stage] = time.perf_counter()
                return
        reached[2] = time.perf_counter()

    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        production.produce(ENGINES[engine], wanted, Path(folder, "piece.mp3"), on_progress)
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Made(composing, reached[0] - begun - composing, reached[1] - reached[0], ended - reached[1], peak)


def figures(engine: str, seconds: int, made: Made) -> list[Figure]:
    """The figures of one piece, with their limits."""
    times = seconds / made.seconds
    stages = ", ".join(f"{name} {getattr(made, name) / made.seconds:.0%}" for name in Made._fields[:4])
    label = f"{engine}, {seconds} s"
    return [
        Figure(f"{label}: times real time ({stages})", "-", f"{times:.1f}", f">= {LEAST:g}", times >= LEAST),
        at_most(f"{label}: memory", "-", made.peak_mib, MEMORY_MIB, " MiB"),
    ]


def main() -> int:
    """The exit status: 0 when every figure is within its limit."""
    found, spawn = list[Figure](), multiprocessing.get_context("spawn")
    wanted = [(engine, seconds) for engine in ENGINES for seconds in LENGTHS]
    with Progress(console=Console(stderr=True)) as progress:
        for engine, seconds in progress.track(wanted, description="Making pieces"):
            with spawn.Pool(1) as pool:
                found += figures(engine, seconds, pool.apply(make, (engine, seconds)))
    show(found, Console(width=140))
    return 0 if all(figure.kept for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main())
