"""Writes whole lines to a file descriptor in a thread of its own, so that a reader who does not read delays nobody.

Decision 65.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from threading import RLock, Thread

import structlog

# A write of up to this many bytes to a pipe is atomic (POSIX requires 512, Linux has 4,096).
ATOMIC_WRITE_BYTES = getattr(select, "PIPE_BUF", 512)
MAX_BUFFERED_BYTES = 1_048_576
DRAIN_SECONDS, POLL_SECONDS = 1.0, 0.005
log = structlog.get_logger("web.telemetry.line_writer")


class LineWriter:
    """Writes lines to a file descriptor in order; `before_write` is called before each line of structlog.

    At most `max_bytes` wait to be written. Lines beyond that, and those that the descriptor refuses, are lost: `lost`
    is their number, and it is logged as soon as lines can be written again.
    """

    def __init__(
        self, descriptor: int, before_write: Callable[[], None] = lambda: None, max_bytes: int = MAX_BUFFERED_BYTES
    ) -> None:
        self.lost = 0
        self._descriptor = descriptor
        self._chunk_bytes = MAX_BUFFERED_BYTES if _is_regular_file(descriptor) else ATOMIC_WRITE_BYTES
        self._before_write = before_write
        self._max_bytes = max_bytes
        self._lock = RLock()
        self._queue: SimpleQueue[list[bytes]] = SimpleQueue()
        self._accepted_bytes = self._written_bytes = self._reported = 0
        self._unfinished = b""
        atexit.register(self.drain)
        Thread(target=self._run, name=f"line writer {descriptor}", daemon=True).start()

    def msg(self, text: str) -> None:
        """Writes one line of structlog."""
        self._before_write()
        self.write([text.encode("utf-8", "backslashreplace") + b"\n"])

    # The method names that structlog calls.
    debug = info = warning = error = critical = log = msg

    def write(self, lines: Iterable[bytes]) -> None:
        """Hands lines to the thread; never waits."""
        whole = [*lines]
        size = sum(map(len, whole))
        with self._lock:
            waiting = self._accepted_bytes - self._written_bytes
            if waiting and waiting + size > self._max_bytes:
                self.lost += len(whole)
                return
            self._accepted_bytes += size
            self._queue.put(whole)

    def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Waits until every line is written, for `seconds` at most."""
        self._before_write()
        deadline = time.monotonic() + seconds
        while self._written_bytes < self._accepted_bytes and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def _run(self) -> None:
        # With this signal blocked, a process in the background of a terminal with `tostop` may write to it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        while True:
            lines = self._queue.get()
            written = [self._attempt(chunk) for chunk in _chunks(lines, self._chunk_bytes)]
            self._written_bytes += sum(map(len, lines))
            if all(written) and self._queue.empty():
                self._report_lost()

    def _attempt(self, chunk: bytes) -> bool:
        """Writes a chunk; returns whether that succeeded."""
        try:
            self._write(chunk)
        except Exception:  # noqa: BLE001 - it cannot be logged here, and the thread must go on
            with self._lock:
                self.lost += chunk.count(b"\n")
            return False
        return True

    def _write(self, chunk: bytes) -> None:
        left = self._unfinished + chunk
        while left:
            left = left[self._write_some(left) :]
            # A full device may take the beginning of a line only: its rest comes first once there is space.
            self._unfinished = left[: left.find(b"\n") + 1]

    def _write_some(self, left: bytes) -> int:
        while True:
            try:
                return os.write(self._descriptor, left)
            except BlockingIOError:  # another process has made the descriptor non-blocking
                poller = select.poll()  # select.select supports descriptors up to 1,023 only
                poller.register(self._descriptor, select.POLLOUT)
                poller.poll()

    def _report_lost(self) -> None:
        if self.lost > self._reported:
            count, self._reported = self.lost - self._reported, self.lost
            log.warning("log lines lost", lines=count)


def _is_regular_file(descriptor: int) -> bool:
    """Whether each write is atomic, of any size: the kernel locks the file."""
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def _chunks(lines: list[bytes], size: int) -> Iterator[bytes]:
    """The lines in chunks of at most `size` bytes; a longer line is a chunk of its own."""
    joined, start = b"".join(lines), 0
    while len(joined) - start > size:
        end = joined.rfind(b"\n", start, start + size) + 1 or joined.find(b"\n", start) + 1 or len(joined)
        yield joined[start:end]
        start = end
    if start < len(joined):
        yield joined[start:]
