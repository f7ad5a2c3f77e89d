"""What is told of requests: gathered for a moment, then written and counted together, away from each one's own time."""

from __future__ import annotations

import asyncio
import atexit
import time
from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

import orjson

from edge.metrics import meter

GATHER_SECONDS, MOST_GATHERED = 0.05, 16
# What nearly every line looks like; orjson makes the others. No id has a character that JSON would escape.
USUAL = (
    '{"trace_id":"%s","method":"%s","operation":"%s","status":%d,"ms":%.3f,"key_id":"%s","event":"request",'
    '"level":"info","timestamp":"%s"}\n'
)


class Told(NamedTuple):
    """One request that was answered; nothing in it can be a secret. `trace` is that of OpenTelemetry."""

    request_id: str
    method: str
    operation: str | None
    status: int
    seconds: float
    key_id: str | None
    trace: str | None
    moment: float


Plain = tuple[str, str, str | None, int, float, str | None, str | None, float]


class Requests:
    """Gathers requests; `write` gets them in order, soon."""

    def __init__(self) -> None:
        self.write: Callable[[list[Told]], None] | None = None
        self._gathered: list[Plain] = []
        self._due = False
        self._lock = Lock()
        atexit.register(self.flush)

    def gather(self, told: Plain) -> None:
        """Takes the parts of a Told; to be called on the event loop."""
        if self.write is None and not meter.on:
            return
        self._gathered.append(told)
        if len(self._gathered) >= MOST_GATHERED:
            self.flush()
        elif not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._flush_in_time)

    def _flush_in_time(self) -> None:
        self._due = False
        self.flush()

    def flush(self) -> None:
        """Writes and counts what was gathered."""
        with self._lock:
            taken, self._gathered = self._gathered, []
        gathered = [Told._make(told) for told in taken]
        if gathered and self.write is not None:
            self.write(gathered)
        if meter.on:
            for told in gathered:
                meter.seen(told.operation, told.status, told.seconds)


def line(told: Told) -> bytes:
    """The request as one line of JSON."""
    if told.operation is not None and told.key_id is not None and told.trace is None:
        ids = told.request_id, told.method, told.operation
        return (USUAL % (*ids, told.status, told.seconds * 1000, told.key_id, _stamp(told.moment))).encode("ascii")
    said: dict[str, object] = {"trace_id": told.request_id, "method": told.method, "operation": told.operation}
    said |= {"status": told.status, "ms": int(told.seconds * 1e6) / 1000, "key_id": told.key_id, "event": "request"}
    said |= {"level": "info", "timestamp": _stamp(told.moment)} | ({} if told.trace is None else {"trace": told.trace})
    return orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)


def _stamp(moment: float) -> str:
    """A moment of Unix time in UTC, as RFC 3339."""
    return f"{_second(int(moment))}.{int(moment % 1 * 1000):03d}Z"


@lru_cache(2)
def _second(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


requests = Requests()
