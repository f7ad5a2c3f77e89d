"""Where the time of one GET goes, room by room: `python -m tools.bench.profile`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from tools.bench import inprocess, variants
from tools.bench.fake_transport import Connection
from tools.bench.inprocess import Sample
from tools.bench.progress import Bar
from tools.bench.sampler import MEANINGS, Sampler

BATCHES, BATCH, WARM = 15, 300, 300
METHOD = """\
Method: the application runs in this process on uvloop and SQLite, one GET of a collection after another. Totals are
processor time, the median of batches, unprofiled. For the rooms, the stack is sampled about a thousand times a second
while whole requests go through the HTTP protocol without a socket; a sample counts for the innermost room on the
stack, so a library's time is that of the room which called it. The shares are scaled to the unprofiled total. The
kernel's part (sockets) is not in it. Trust ratios: a busy machine makes all of it slower."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.profile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0, help="how long the stack is sampled")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    with Bar("Profiling", 1 + len(variants.ALL)) as bar:
        found = _found(chosen.seconds, bar)
    print(json.dumps(found, indent=1) if chosen.json else _text(found))
    return 0


def _found(seconds: float, bar: Bar) -> dict[str, Any]:
    totals: dict[str, float] = {}
    with inprocess.opened() as sample:
        whole, rooms = inprocess.alone(_rooms(sample, seconds))
        bar.step()
        for name, make in variants.ALL.items():
            bar.show(name)
            with make(sample) as application:
                totals[name] = inprocess.alone(_total(application, sample))
            bar.step()
    return {"whole_us": whole, "rooms_us": rooms, "totals_us": totals, "operations": dict(variants.SIZES)}


async def _rooms(sample: Sample, seconds: float) -> tuple[float, dict[str, float]]:
    connection = Connection(inprocess.application(sample))
    request = sample.wire()
    whole = await _middle(lambda: connection.ask(request))
    deadline = time.monotonic() + seconds
    with Sampler() as sampler:
        while time.monotonic() < deadline:
            for _ in range(BATCH):
                await connection.ask(request)
    return whole, {room: share * whole for room, share in sampler.shares().items()}


async def _total(application: Any, sample: Sample) -> float:
    scope = sample.scope()

    async def once() -> None:
        if await inprocess.asked(application, scope) != 200:
            raise RuntimeError("The sample's GET was not answered with 200")

    return await _middle(once)


async def _middle(once: Callable[[], Awaitable[None]]) -> float:
    """Microseconds of processor time of one request: the median of batches, after a few requests that do not count."""
    for _ in range(WARM):
        await once()
    found = []
    for _ in range(BATCHES):
        started = time.process_time()
        for _ in range(BATCH):
            await once()
        found.append((time.process_time() - started) / BATCH * 1e6)
    return median(found)


def _text(found: dict[str, Any]) -> str:
    whole, rooms, totals = found["whole_us"], found["rooms_us"], found["totals_us"]
    lines = [METHOD, "", f"One GET, bytes in to bytes out: {whole:.0f} us", ""]
    for room, us in sorted(rooms.items(), key=lambda pair: -pair[1]):
        lines.append(f"  {room:<11}{us:7.1f} us {us / whole:5.0%}  {MEANINGS[room]}")
    lines += ["", "The same GET from the ASGI scope on, without the HTTP protocol:", ""]
    for name, us in totals.items():
        lines.append(f"  {us:8.1f} us  {name.format(**found['operations'])}")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
