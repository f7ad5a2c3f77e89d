"""Transport of one connection: close() is a lingering close, and reading is resumed by the protocol."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Protocol

from web.server import sockets


class ConnectionProtocol(Protocol):
    """What the transport calls of its connection."""

    def close_gracefully(self) -> None:
        """Closes the connection so that the client can read its response first."""

    def resume_reading(self) -> None:
        """Parses what has arrived before more is read."""


class ConnectionTransport(asyncio.Transport):
    """The transport that requests of a connection use; `write_timeout` is in seconds."""

    def __init__(self, transport: asyncio.Transport, protocol: ConnectionProtocol, write_timeout: float) -> None:
        super().__init__()
        self._transport = transport
        self._protocol: ConnectionProtocol | None = protocol
        self._closing = self._paused = False
        self.write_timeout = write_timeout

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self._closing and not self._transport.is_closing():  # uvloop raises for a write to a closing transport
            self._transport.write(data)

    def write_now(self, data: bytes | memoryview) -> int:
        """Gives the kernel what it takes at once, past the write buffer, and returns the number of bytes.

        0 while earlier bytes wait in the buffer, and for a transport without a socket. Whatever is wrong with the
        connection is left to the next `write`.
        """
        opened = self._transport.get_extra_info("socket")
        if opened is None or self.is_closing() or self._transport.get_write_buffer_size():
            return 0
        try:
            return os.write(opened.fileno(), data)
        except OSError:
            return 0

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        self._closing = True
        if self._protocol is not None:
            self._protocol.close_gracefully()

    def abort(self) -> None:
        self._transport.abort()

    def hold_nothing(self) -> None:
        """From now on writing is paused whenever the kernel has not taken all that was written."""
        self._limit_write_buffer(0)

    def hold_default(self) -> None:
        """From now on 64 KiB are held before writing is paused."""
        self._limit_write_buffer(None)

    def _limit_write_buffer(self, high: int | None) -> None:
        if not self._transport.is_closing():
            self._transport.set_write_buffer_limits(high)

    def unsent_bytes(self) -> int:
        """What the client has not taken: bytes in the write buffer, and in the kernel's where it can be asked."""
        opened = self._transport.get_extra_info("socket")
        return self._transport.get_write_buffer_size() + (sockets.unacknowledged_bytes(opened) if opened else 0)

    def pause_reading(self) -> None:
        self._paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads on, unless the protocol pauses again because of what it has received before."""
        self._paused = False
        if self._protocol is not None:
            self._protocol.resume_reading()
        if not self._paused and not self._transport.is_closing():
            self._transport.resume_reading()

    def detach(self) -> None:
        """Forgets the protocol of a closed connection."""
        self._protocol = None
