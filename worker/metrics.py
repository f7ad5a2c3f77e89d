"""Metrics of one worker: counters, written to a file of its own once a second."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path

import orjson

from web.periodic_thread import PeriodicThread
from web.telemetry.metrics import resident_memory_bytes
from worker.jobs import Counts

WRITE_SECONDS = 1.0


def written(counts: Counts, folder: str) -> AbstractContextManager[None]:
    """Writes the counts to `folder` inside the context; without a folder does nothing."""
    if not folder:
        return nullcontext()
    file = Path(folder) / f"studio-{os.getpid()}.json"

    def write() -> None:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_bytes(orjson.dumps(asdict(counts) | {"memory_bytes": resident_memory_bytes()}))
        new.replace(file)

    return PeriodicThread("metrics", write, WRITE_SECONDS)
