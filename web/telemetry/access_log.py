"""Access log and request metrics, batched: records wait up to 50 ms and are written together, outside the request.

Decision 44.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import lru_cache
from math import floor
from threading import RLock
from typing import NamedTuple

import orjson

from web.number_cache import INTEGERS, THOUSANDTHS
from web.telemetry.metrics import request_metrics

FLUSH_SECONDS, MAX_BUFFERED = 0.05, 64


class RequestRecord(NamedTuple):
    """One request: its duration in seconds, its OpenTelemetry trace id, and its end in Unix seconds; no secrets."""

    request_id: str
    method: str
    operation: str | None
    status: int
    seconds: float
    key_id: str | None
    trace: str | None
    timestamp: float


# A RequestRecord without names: creating it takes a third of the time.
RequestTuple = tuple[str, str, str | None, int, float, str | None, str | None, float]


class AccessLog:
    """Buffers request records for at most 50 ms or 64 records, then passes them to `write` in order."""

    def __init__(self) -> None:
        self.write: Callable[[list[RequestTuple]], None] | None = None
        self._pending: list[RequestTuple] = []
        self._flush_scheduled = False
        self._lock = RLock()

    def add(self, record: RequestTuple) -> None:
        """Adds a record; call it on the event loop."""
        if self.write is None and not request_metrics.on:
            return
        self._pending.append(record)
        if len(self._pending) >= MAX_BUFFERED:
            self.flush()
        elif not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush_on_timer)

    def _flush_on_timer(self) -> None:
        self._flush_scheduled = False
        self.flush()

    def flush(self) -> None:
        """Writes and counts the buffered records."""
        with self._lock:  # reentrant: `write` may log, and a line of structlog comes after these
            records, self._pending = self._pending, []
            if records and self.write is not None:
                self.write(records)
            if request_metrics.on:
                for record in records:
                    request_metrics.observe(record[2], record[3], record[4])


def format_line(record: RequestTuple) -> bytes:
    """The record as one line of JSON."""
    request_id, method, operation, status, seconds, key_id, trace, unix_time = record
    us, second = floor(seconds * 1e6), floor(unix_time)
    timestamp = f"{_second(second)}.{THOUSANDTHS[floor((unix_time - second) * 1000)]}Z"
    if operation is None or key_id is None or trace is not None:
        fields = {"trace_id": request_id, "method": method, "operation": operation, "status": status, "ms": us / 1000}
        fields |= {"key_id": key_id, "event": "request", "level": "info", "timestamp": timestamp}
        return orjson.dumps(fields if trace is None else fields | {"trace": trace}, option=orjson.OPT_APPEND_NEWLINE)
    # The form of almost every line; no id contains a character that JSON escapes.
    return (
        f'{{"trace_id":"{request_id}","method":"{method}","operation":"{operation}","status":{INTEGERS[status]},'
        f'"ms":{INTEGERS[us // 1000]}.{THOUSANDTHS[us % 1000]},"key_id":"{key_id}","event":"request","level":"info",'
        f'"timestamp":"{timestamp}"}}\n'
    ).encode()


@lru_cache(2)
def _second(unix_second: int) -> str:
    """A Unix second as RFC 3339 in UTC, without fraction and `Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix_second))


access_log = AccessLog()
