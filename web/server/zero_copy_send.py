"""Sends a part of a file: the ASGI extension `http.response.zerocopysend`. Decision 74.

The bytes go from the page cache through one buffer of the process into the socket, as many as the kernel takes. Those
that it does not take are read again later. So a connection holds one small piece, however slow its client is.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading

from uvicorn.protocols.http.flow_control import FlowControl

from web.server.connection_transport import ConnectionTransport

# Read at once: this, and from then on at most twice what the kernel has taken. The bytes are still in the processor's
# cache when they are written, and a reader that is woken by them finds the next ones there when it has taken them.
BUFFER_BYTES = 48 * 1024
# Sent to a client that reads fast before other requests get their turn.
TURN_BYTES = 1024 * 1024
# Written to a connection whose kernel buffer is full: when this is gone, there is room again.
HELD_BYTES = 4 * 1024
# Read at once in a thread, whose bytes are memory of their own.
THREAD_BYTES = 32 * 1024
# Read ahead in the thread that waits for the disk.
AHEAD_BYTES = 1024 * 1024
# preadv(2) then refuses to wait for a disk; Linux has it.
_NO_WAIT: int | None = getattr(os, "RWF_NOWAIT", None)
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


class _Buffer(threading.local):
    """The buffer of a thread's event loop; between two `await`s it belongs to one connection."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(BUFFER_BYTES))


_buffer = _Buffer()


async def send_file(transport: ConnectionTransport, flow: FlowControl, descriptor: int, start: int, end: int) -> None:
    """Sends the bytes [start, end) of an open file as fast as the client reads them.

    Raises EOFError if the file is shorter, and OSError if it cannot be read.
    """
    size, turn = BUFFER_BYTES, start + TURN_BYTES
    while start < end and not transport.is_closing():
        await flow.drain()
        piece = await _read(descriptor, start, min(size, end - start))
        if not piece:
            raise EOFError("The file is shorter than it was")
        taken = transport.write_now(piece)
        size = min(BUFFER_BYTES, max(HELD_BYTES, 2 * taken))
        is_full = taken < len(piece)
        if is_full:
            held = bytes(piece[taken : taken + HELD_BYTES])
            transport.write(held)
            taken += len(held)
        start += taken
        del piece  # one that a thread has read would stay in memory
        if is_full or start >= turn:
            await asyncio.sleep(0)
            turn = start + TURN_BYTES


async def _read(descriptor: int, position: int, size: int) -> memoryview | bytes:
    """At most `size` bytes: from the page cache at once, else in a thread."""
    if _NO_WAIT is not None:
        try:
            return _buffer.view[: os.preadv(descriptor, [_buffer.view[:size]], position, _NO_WAIT)]
        except OSError as error:
            if not isinstance(error, BlockingIOError) and error.errno not in _UNSUPPORTED:
                raise
    reading = asyncio.ensure_future(asyncio.to_thread(_wait_for, descriptor, position, min(size, THREAD_BYTES)))
    try:
        return await asyncio.shield(reading)
    finally:
        await asyncio.wait((reading,))  # the file must stay open so long, whoever cancels this task


def _wait_for(descriptor: int, position: int, size: int) -> bytes:
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, position, AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
    return os.pread(descriptor, size, position)
