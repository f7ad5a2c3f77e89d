"""Call budget: function calls and memory of one GET, compared with a band; guards against gradual slowdown.

`python -m tools.bench.call_budget` compares with call_budget.json in this folder; `--renew` rewrites that file.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import tracemalloc
from math import ceil, floor
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tools.bench import inprocess
from tools.bench.inprocess import Application, Sample
from tools.bench.targets import ROOT
from web.telemetry.access_log import MAX_BUFFERED

BAND = Path(__file__).with_name("call_budget.json")
RENEW = "If the change is worth it, rewrite the band: `.venv/bin/python -m tools.bench.call_budget --renew`."
# The access log is written in batches of this size, so that each request is counted with exactly one log line.
WARM = MEASURED = MAX_BUFFERED
LEAK_REQUESTS = 300
# The relative deviation that each count may have from the band.
LEEWAY = {"our_calls": 0.03, "library_calls": 0.10, "peak_bytes": 0.20}
MAX_KEPT_BLOCKS = 1.0
SETTLE_SECONDS = 1.5


def count() -> dict[str, float]:
    """The counts of one GET: calls of own and library functions, peak bytes, and memory blocks that are not freed."""
    with inprocess.open_sample() as sample:
        return inprocess.run(_count(sample))  # type: ignore[no-any-return] # the result of a coroutine


async def _count(sample: Sample) -> dict[str, float]:
    application = inprocess.application(sample)
    await _send(application, sample, WARM)
    ours, libraries = await _calls(application, sample)
    return {
        "our_calls": ours,
        "library_calls": libraries,
        "peak_bytes": await _peak(application, sample),
        "kept_blocks": await _leaked_blocks(application, sample),
    }


async def _calls(application: Application, sample: Sample) -> tuple[float, float]:
    """Calls of Python functions per request: own functions, and those of installed packages.

    The standard library and comprehensions are not counted, because both change with the version of Python.
    """
    counted = {True: 0, False: 0}
    classified: dict[CodeType, bool | None] = {}

    def entered(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            code = frame.f_code
            if code not in classified:
                classified[code] = _is_ours(code)
            ours = classified[code]
            if ours is not None:
                counted[ours] += 1

    sys.setprofile(entered)
    try:
        await _send(application, sample, MEASURED)
    finally:
        sys.setprofile(None)
    return round(counted[True] / MEASURED, 1), round(counted[False] / MEASURED, 1)


def _is_ours(code: CodeType) -> bool | None:
    if code.co_name.startswith("<") or f"{ROOT}/tools/bench/" in code.co_filename:
        return None
    if "site-packages" in code.co_filename:
        return False
    return True if code.co_filename.startswith(f"{ROOT}/") else None


async def _peak(application: Application, sample: Sample) -> float:
    """The peak of the memory that Python allocates for one request, in bytes (median)."""
    tracemalloc.start()
    await _send(application, sample, WARM)
    peaks = []
    for _ in range(MEASURED):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        await _send(application, sample, 1)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    return sorted(peaks)[MEASURED // 2]


async def _leaked_blocks(application: Application, sample: Sample) -> float:
    """Memory blocks per request that are not freed; a leak if it is one or more."""
    growths = []
    for _ in range(2):  # the first round fills caches
        before = await _blocks()
        await _send(application, sample, LEAK_REQUESTS)
        growths.append(await _blocks() - before)
    return round(max(0, min(growths)) / LEAK_REQUESTS, 2)


async def _blocks() -> int:
    """The number of allocated blocks after pending work, such as buffered log lines, is done."""
    await asyncio.sleep(SETTLE_SECONDS)
    gc.collect()
    return sys.getallocatedblocks()


async def _send(application: Application, sample: Sample, times: int) -> None:
    scope = sample.scope()
    for _ in range(times):
        if await inprocess.status_of(application, scope) != 200:
            raise RuntimeError("The response to the sample's GET was not 200")


def drifted(counts: dict[str, float], band: dict[str, list[float]]) -> list[str]:
    """One sentence for each count outside of its band."""
    return [
        f"One GET has {name.replace('_', ' ')} {counts[name]:g}, and the band is {low:g} to {high:g}."
        for name, (low, high) in band.items()
        if not low <= counts[name] <= high
    ]


def read_band() -> dict[str, list[float]]:
    """The lowest and highest value of each count."""
    band: dict[str, list[float]] = json.loads(BAND.read_text(encoding="utf-8"))
    return band


def _renew(counts: dict[str, float]) -> None:
    band = {name: [floor(counts[name] * (1 - part)), ceil(counts[name] * (1 + part))] for name, part in LEEWAY.items()}
    BAND.write_text(json.dumps(band | {"kept_blocks": [0, MAX_KEPT_BLOCKS]}, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Counts, then compares or renews; prints the counts as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench.call_budget", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--renew", action="store_true", help="write a new band around the current counts")
    options = parser.parse_args()
    counts = count()
    print(json.dumps(counts))
    if options.renew:
        _renew(counts)
        return 0
    problems = drifted(counts, read_band())
    print("\n".join([*problems, RENEW] if problems else []), end="", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
