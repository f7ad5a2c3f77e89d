"""What is told of requests: gathered for a moment, then written and counted together, away from each one's own time."""

from __future__ import annotations

import asyncio
import atexit
import time
from collections.abc import Callable
from functools import lru_cache
from math import floor
from threading import Lock
from typing import NamedTuple

import orjson

from web.number_cache import INTEGERS, THOUSANDTHS
from web.telemetry.metrics import request_metrics

FLUSH_SECONDS, MAX_BUFFERED = 0.05, 64


class RequestRecord(NamedTuple):
    """One request that was answered, at a `moment` in Unix time; nothing in it can be a secret.

    `trace` is that of OpenTelemetry.
    """

    request_id: str
    method: str
    operation: str | None
    status: int
    seconds: float
    key_id: str | None
    trace: str | None
    timestamp: float


# The same without its names, which is made in a third of the time.
RequestTuple = tuple[str, str, str | None, int, float, str | None, str | None, float]


class AccessLog:
    """Gathers requests; `write` gets them in order, soon."""

    def __init__(self) -> None:
        self.write: Callable[[list[RequestTuple]], None] | None = None
        self._pending: list[RequestTuple] = []
        self._flush_scheduled = False
        self._lock = Lock()
        atexit.register(self.flush)

    def add(self, told: RequestTuple) -> None:
        """Takes the parts of a Told; to be called on the event loop."""
        if self.write is None and not request_metrics.on:
            return
        self._pending.append(told)
        if len(self._pending) >= MAX_BUFFERED:
            self.flush()
        elif not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush_on_timer)

    def _flush_on_timer(self) -> None:
        self._flush_scheduled = False
        self.flush()

    def flush(self) -> None:
        """Writes and counts what was gathered."""
        with self._lock:
            taken, self._pending = self._pending, []
        if taken and self.write is not None:
            self.write(taken)
        if request_metrics.on:
            for told in taken:
                request_metrics.observe(told[2], told[3], told[4])


def format_line(told: RequestTuple) -> bytes:
    """The request as one line of JSON."""
    request_id, method, operation, status, seconds, key_id, trace, moment = told
    us, second = floor(seconds * 1e6), floor(moment)
    timestamp = f"{_second(second)}.{THOUSANDTHS[floor((moment - second) * 1000)]}Z"
    if operation is None or key_id is None or trace is not None:
        said = {"trace_id": request_id, "method": method, "operation": operation, "status": status, "ms": us / 1000}
        said |= {"key_id": key_id, "event": "request", "level": "info", "timestamp": timestamp}
        return orjson.dumps(said if trace is None else said | {"trace": trace}, option=orjson.OPT_APPEND_NEWLINE)
    # As nearly every line is; no id has a character that JSON would escape.
    return (
        f'{{"trace_id":"{request_id}","method":"{method}","operation":"{operation}","status":{INTEGERS[status]},'
        f'"ms":{INTEGERS[us // 1000]}.{THOUSANDTHS[us % 1000]},"key_id":"{key_id}","event":"request","level":"info",'
        f'"timestamp":"{timestamp}"}}\n'
    ).encode()


@lru_cache(2)
def _second(moment: int) -> str:
    """A second of Unix time in UTC, as RFC 3339, without its end."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


access_log = AccessLog()
