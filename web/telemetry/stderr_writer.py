"""Standard error as whole lines, which no other process that writes to it can split."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable, Iterable, Iterator
from threading import RLock

# A write of so many bytes to a pipe is whole, whoever else writes to it (POSIX demands 512, Linux has 4096).
ATOMIC_WRITE_BYTES = getattr(select, "PIPE_BUF", 512)


class StderrWriter:
    """Lines on their way to a file descriptor; `first` is called before each that structlog writes."""

    def __init__(self, descriptor: int, first: Callable[[], None] = lambda: None) -> None:
        self._descriptor = descriptor
        self._first = first
        self._lock = RLock()

    def msg(self, text: str) -> None:
        """Writes a line of structlog's."""
        self._first()
        self.write([text.encode("utf-8", "backslashreplace") + b"\n"])

    # The names under which structlog calls a logger.
    debug = info = warning = error = critical = log = msg

    def write(self, lines: Iterable[bytes]) -> None:
        """Writes lines now. Whoever reads no more must not stop the service: then they are lost."""
        with self._lock, contextlib.suppress(OSError):
            for piece in _chunks([*lines]):
                self._write(piece)

    def _write(self, piece: bytes) -> None:
        while piece:
            try:
                piece = piece[os.write(self._descriptor, piece) :]
            except BlockingIOError:
                room = select.poll()  # not select, which knows no descriptor above 1,023
                room.register(self._descriptor, select.POLLOUT)
                room.poll()


def _chunks(lines: list[bytes]) -> Iterator[bytes]:
    """The lines in pieces that are written whole, where a single line is not longer than that."""
    whole = b"".join(lines)
    if len(whole) <= ATOMIC_WRITE_BYTES:
        yield whole
        return
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > ATOMIC_WRITE_BYTES:
            yield piece
            piece = b""
        piece += line
    yield piece
