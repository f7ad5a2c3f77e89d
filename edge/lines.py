"""Standard error as whole lines: what requests leave is gathered for a moment, everything else goes out at once."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import select
import time
from collections.abc import Iterator
from threading import Lock

import orjson

# A write of so many bytes to a pipe is whole, whoever else writes to it (POSIX demands 512, Linux has 4096).
WHOLE_BYTES = getattr(select, "PIPE_BUF", 512)
GATHER_SECONDS, MOST_LINES = 0.05, 16
# What nearly every request's line looks like; orjson makes the others.
USUAL = (
    '{"trace_id":"%s","method":"%s","operation":"%s","status":%d,"ms":%.3f,"key_id":"%s","event":"request","level":"info",'
    '"timestamp":"%s"}\n'
)


class Lines:
    """Lines on their way to a file descriptor; none of them is ever split by another process's."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending: list[bytes] = []
        self._due = False
        self._lock = Lock()
        atexit.register(self.flush)

    def msg(self, text: str) -> None:
        """Writes a line, after all that were gathered before it."""
        self._pending.append(text.encode("utf-8", "backslashreplace") + b"\n")
        self.flush()

    # The names under which structlog calls a logger.
    debug = info = warning = error = critical = log = msg

    def gather(self, line: bytes) -> None:
        """Writes a line soon, together with those that come meanwhile; to be called on the event loop."""
        self._pending.append(line)
        if len(self._pending) >= MOST_LINES:
            self.flush()
        elif not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._write_gathered)

    def _write_gathered(self) -> None:
        self._due = False
        self.flush()

    def flush(self) -> None:
        """Writes all that was gathered. Whoever reads no more must not stop the service: then it is lost."""
        with self._lock, contextlib.suppress(OSError):
            lines, self._pending = self._pending, []
            for piece in _pieces(lines):
                self._write(piece)

    def _write(self, piece: bytes) -> None:
        while piece:
            try:
                piece = piece[os.write(self._descriptor, piece) :]
            except BlockingIOError:
                select.select((), (self._descriptor,), ())


def _pieces(lines: list[bytes]) -> Iterator[bytes]:
    """The lines in pieces that are written whole, where a single line is not longer than that."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > WHOLE_BYTES:
            yield piece
            piece = b""
        piece += line
    if piece:
        yield piece


class Requests:
    """The lines of requests, made in one step: nothing in them can be a secret, or a text of the client's making."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._moment = 0
        self._stamp = ""

    def tell(
        self, trace_id: str, method: str, operation: str | None, status: int, seconds: float, key_id: str | None,
        trace: str | None,
    ) -> None:  # fmt: skip
        """One line of JSON; `trace` is in it where the request belongs to a trace."""
        moment = int(time.time() * 1000)
        if moment != self._moment:
            self._moment, self._stamp = moment, _stamp(moment)
        if operation is not None and key_id is not None and trace is None:
            line = USUAL % (trace_id, method, operation, status, seconds * 1000, key_id, self._stamp)
            self._lines.gather(line.encode("ascii"))
            return
        said: dict[str, object] = {"trace_id": trace_id, "method": method, "operation": operation, "status": status}
        said |= {"ms": int(seconds * 1e6) / 1000, "key_id": key_id, "event": "request", "level": "info"}
        said |= {"timestamp": self._stamp} | ({} if trace is None else {"trace": trace})
        self._lines.gather(orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE))


def _stamp(milliseconds: int) -> str:
    """A moment of Unix time in UTC, as RFC 3339."""
    second, part = divmod(milliseconds, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)) + f".{part:03d}Z"
