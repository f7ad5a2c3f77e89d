"""A guard against growing slower little by little: what one GET calls and allocates, without a clock.

`python -m tools.bench.call_budget` counts and compares with call_budget.json beside it; `--renew` rewrites that file.
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
# Log lines are written in such numbers, and each request is to be counted with one line.
WARM = MEASURED = MAX_BUFFERED
KEPT = 300
# How far each count may move before it has to be renewed, as a part of it.
LEEWAY = {"our_calls": 0.03, "library_calls": 0.10, "peak_bytes": 0.20}
MAX_KEPT_BLOCKS = 1.0
SETTLE_SECONDS = 1.5


def count() -> dict[str, float]:
    """Of one GET: calls of our functions and of the libraries', bytes at the peak, and blocks that are never freed."""
    with inprocess.opened() as sample:
        return inprocess.alone(_count(sample))  # type: ignore[no-any-return] # a coroutine's result, whatever it is


async def _count(sample: Sample) -> dict[str, float]:
    application = inprocess.application(sample)
    await _ask(application, sample, WARM)
    ours, libraries = await _calls(application, sample)
    return {
        "our_calls": ours,
        "library_calls": libraries,
        "peak_bytes": await _peak(application, sample),
        "kept_blocks": await _kept(application, sample),
    }


async def _calls(application: Application, sample: Sample) -> tuple[float, float]:
    """Python functions that one request enters: ours, and those of installed packages.

    The standard library is left out, and so is what the compiler makes of comprehensions: both change with Python.
    """
    counted = {True: 0, False: 0}
    known: dict[CodeType, bool | None] = {}

    def entered(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            code = frame.f_code
            if code not in known:
                known[code] = _is_ours(code)
            ours = known[code]
            if ours is not None:
                counted[ours] += 1

    sys.setprofile(entered)
    try:
        await _ask(application, sample, MEASURED)
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
    """The most memory that Python holds for one request at any moment of it, in bytes."""
    tracemalloc.start()
    await _ask(application, sample, WARM)
    found = []
    for _ in range(MEASURED):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        await _ask(application, sample, 1)
        found.append(tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    return sorted(found)[MEASURED // 2]


async def _kept(application: Application, sample: Sample) -> float:
    """Blocks that a request leaves behind: a leak, when there is one for every request."""
    found = []
    for _ in range(2):  # the first time, some things are made that stay
        before = await _blocks()
        await _ask(application, sample, KEPT)
        found.append(await _blocks() - before)
    return round(max(0, min(found)) / KEPT, 2)


async def _blocks() -> int:
    """What Python holds once that is done which waits for a moment, such as the writing of log lines."""
    await asyncio.sleep(SETTLE_SECONDS)
    gc.collect()
    return sys.getallocatedblocks()


async def _ask(application: Application, sample: Sample, times: int) -> None:
    scope = sample.scope()
    for _ in range(times):
        if await inprocess.asked(application, scope) != 200:
            raise RuntimeError("The sample's GET was not answered with 200")


def drifted(found: dict[str, float], band: dict[str, list[float]]) -> list[str]:
    """What has left its band, in words."""
    return [
        f"One GET has {name.replace('_', ' ')} {found[name]:g}, and the band is {low:g} to {high:g}."
        for name, (low, high) in band.items()
        if not low <= found[name] <= high
    ]


def read_band() -> dict[str, list[float]]:
    """The lowest and highest value of each count."""
    band: dict[str, list[float]] = json.loads(BAND.read_text(encoding="utf-8"))
    return band


def _renew(found: dict[str, float]) -> None:
    band = {name: [floor(found[name] * (1 - part)), ceil(found[name] * (1 + part))] for name, part in LEEWAY.items()}
    BAND.write_text(json.dumps(band | {"kept_blocks": [0, MAX_KEPT_BLOCKS]}, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Count, then compare or renew; the counts are printed as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench.call_budget", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--renew", action="store_true", help="take what is counted now as the new band")
    chosen = parser.parse_args()
    found = count()
    print(json.dumps(found))
    if chosen.renew:
        _renew(found)
        return 0
    problems = drifted(found, read_band())
    print("\n".join([*problems, RENEW] if problems else []), end="", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
