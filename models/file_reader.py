"""Reads a part of a file in pieces, at the pace of the client, without blocking the event loop.

What the page cache holds is read on the event loop, which takes microseconds: preadv(2) with RWF_NOWAIT refuses to
wait for a disk. Only what it refuses is read in a thread. The pieces of a slow client are small, because its connection
keeps the last one in memory.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

FAST_BYTES, SLOW_BYTES = 32 * 1024, 8 * 1024
# A client is slow when a piece took it so long, and fast again once it has taken so many pieces in less.
SLOW_SECONDS, FAST_PIECES = 0.05, 32
# Other requests get their turn after so many pieces, however fast the client reads.
TURN_PIECES = 8
# Read ahead in the thread that waits for the disk.
AHEAD_BYTES = 1024 * 1024
_NO_WAIT = getattr(os, "RWF_NOWAIT", None)  # of Linux
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


async def read_file(file: Path, start: int, end: int, piece_bytes: int) -> AsyncGenerator[memoryview, None]:
    """The bytes of a file from `start` to before `end`, in pieces of at most `piece_bytes`, with one open file.

    Ends early if the file is shorter. Raises OSError.
    """
    with await _in_thread(open, file, "rb", 0) as opened:
        reader, pace = _Reader(opened.fileno()), _Pace()
        while start < end:
            piece = await reader.read(start, min(pace.size, piece_bytes, end - start))
            if not piece:
                return
            start += len(piece)
            yield piece
            del piece
            if pace.is_turn_over():
                await asyncio.sleep(0)


class _Reader:
    """Reads at a position: from the page cache at once, else in a thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._flags = _NO_WAIT
        self._buffer = bytearray()

    async def read(self, position: int, size: int) -> memoryview:
        buffer = self._free_buffer(size)
        if self._flags is not None:
            try:
                return memoryview(buffer)[: os.preadv(self._descriptor, [buffer], position, self._flags)]
            except BlockingIOError:
                pass
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
                self._flags = None
        return memoryview(buffer)[: await _in_thread(self._wait, buffer, position)]

    def _free_buffer(self, size: int) -> bytearray:
        """The last buffer, if nobody holds a view of it any more: only then can it be resized."""
        if len(self._buffer) == size:
            with suppress(BufferError):
                del self._buffer[-1:]
                self._buffer.append(0)
                return self._buffer
        self._buffer = bytearray(size)
        return self._buffer

    def _wait(self, buffer: bytearray, position: int) -> int:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, position, AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
        return os.preadv(self._descriptor, [buffer], position)


async def _in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """The function's result. A task that is cancelled waits for the thread, which has the file."""
    made = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(made)
    except asyncio.CancelledError:
        await asyncio.wait((made,))
        raise


class _Pace:
    """How fast the client takes what is sent; `size` is that of the next piece."""

    def __init__(self) -> None:
        self.size = SLOW_BYTES
        self._pieces = self._fast = 0
        self._at = time.monotonic()

    def is_turn_over(self) -> bool:
        """Counts a piece that the client has taken; whether others are to get their turn."""
        before, self._at = self._at, time.monotonic()
        if self._at - before > SLOW_SECONDS:
            self.size, self._fast = SLOW_BYTES, 0
        else:
            self._fast += 1
            if self._fast == FAST_PIECES:
                self.size = FAST_BYTES
        self._pieces += 1
        return self._pieces % TURN_PIECES == 0
