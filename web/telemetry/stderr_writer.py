"""Writes complete lines to standard error, so that lines of several processes do not mix."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable, Iterable, Iterator
from threading import RLock

# A write of up to this many bytes to a pipe is atomic (POSIX requires 512, Linux has 4,096).
ATOMIC_WRITE_BYTES = getattr(select, "PIPE_BUF", 512)


class StderrWriter:
    """Writes lines to a file descriptor; `before_write` is called before each line of structlog."""

    def __init__(self, descriptor: int, before_write: Callable[[], None] = lambda: None) -> None:
        self._descriptor = descriptor
        self._before_write = before_write
        self._lock = RLock()

    def msg(self, text: str) -> None:
        """Writes one line of structlog."""
        self._before_write()
        self.write([text.encode("utf-8", "backslashreplace") + b"\n"])

    # The method names that structlog calls.
    debug = info = warning = error = critical = log = msg

    def write(self, lines: Iterable[bytes]) -> None:
        """Writes lines now. If the reader is gone, they are lost: that must not stop the service."""
        with self._lock, contextlib.suppress(OSError):
            for piece in _chunks([*lines]):
                self._write(piece)

    def _write(self, piece: bytes) -> None:
        while piece:
            try:
                piece = piece[os.write(self._descriptor, piece) :]
            except BlockingIOError:
                poller = select.poll()  # select.select supports descriptors up to 1,023 only
                poller.register(self._descriptor, select.POLLOUT)
                poller.poll()


def _chunks(lines: list[bytes]) -> Iterator[bytes]:
    """The lines in chunks of at most ATOMIC_WRITE_BYTES; a longer line is a chunk of its own."""
    joined = b"".join(lines)
    if len(joined) <= ATOMIC_WRITE_BYTES:
        yield joined
        return
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > ATOMIC_WRITE_BYTES:
            yield piece
            piece = b""
        piece += line
    yield piece
