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

# A write of so many bytes to a pipe is whole, whoever else writes to it (POSIX demands 512, Linux has 4096).
WHOLE_BYTES = getattr(select, "PIPE_BUF", 512)
GATHER_SECONDS = 0.05


class Lines:
    """Lines on their way to a file descriptor; none of them is ever split by another process's."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending: list[bytes] = []
        self._size = 0
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
        self._size += len(line)
        if self._size == len(line):
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self.flush)
        elif self._size > WHOLE_BYTES - 2 * len(line):
            self.flush()

    def flush(self) -> None:
        """Writes all that was gathered. Whoever reads no more must not stop the service: then it is lost."""
        with self._lock, contextlib.suppress(OSError):
            lines, self._pending, self._size = self._pending, [], 0
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
    """The lines of requests, made without a general renderer: nothing in them is a text of the client's making."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._second = 0
        self._stamp = ""

    def tell(
        self, trace_id: str, method: str, operation: str | None, status: int, seconds: float, key_id: str | None,
        trace: str | None,
    ) -> None:  # fmt: skip
        """One line of JSON; the ids have no character that JSON would escape, and none is a secret."""
        moment = time.time()
        second = int(moment)
        if second != self._second:
            self._second, self._stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        self._lines.gather(
            (
                f'{{"trace_id":"{trace_id}","method":"{method}","operation":{_text(operation)},"status":{status},'
                f'"ms":{seconds * 1000:.3f},"key_id":{_text(key_id)}{"" if trace is None else _field(trace)},'
                f'"event":"request","level":"info","timestamp":"{self._stamp}.{int(moment % 1 * 1e6):06d}Z"}}\n'
            ).encode("ascii")
        )


def _text(text: str | None) -> str:
    return "null" if text is None else f'"{text}"'


def _field(trace: str) -> str:
    return f',"trace":"{trace}"'
