"""One request and its response as uvicorn drives them, and what such a cycle sees of its connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

# The answer is whole and its fields are ours: names in lower case, one for the length unless there is no content.
LENGTH = "music_studio.length"
CLOSE = (b"connection", b"close")


class Cycle(RequestResponseCycle):
    """A connection is of no more use when a request was answered before its end: this says so in the answer."""

    async def send(self, message: Any) -> None:
        if not self.response_started and self.more_body:
            self.keep_alive = False
        if LENGTH not in message:
            await super().send(message)
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            self.transport.write(self._head(message["status"], message["headers"], message[LENGTH]))

    def _head(self, status: int, fields: list[tuple[bytes, bytes]], length: int) -> bytes:
        """Status line and header fields. uvicorn would compare each in turn, which takes longer than the rest of it."""
        self.response_started, self.waiting_for_100_continue = True, False
        self.expected_content_length, self.chunked_encoding = length, False
        if CLOSE in fields or CLOSE in self.default_headers:
            self.keep_alive = False
        elif not self.keep_alive:
            fields = [*fields, CLOSE]
        lines = [b": ".join(field) for field in (*self.default_headers, *fields)]
        head = STATUS_LINE[status] + b"\r\n".join(lines)
        if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines):
            raise RuntimeError("A header field of an answer holds the end of a line")
        return head + b"\r\n\r\n"


# uvicorn makes cycles by this name, and offers no other way to choose their class.
vars(httptools_impl)["RequestResponseCycle"] = Cycle


class Parting(asyncio.Transport):
    """A transport on which to close is to call `part`, which lets the client read its answer first."""

    def __init__(self, transport: asyncio.Transport, part: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._part = part
        self._parted = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self.is_closing():  # whoever was cut off needs no answer, and uvloop would raise
            self._transport.write(data)

    def is_closing(self) -> bool:
        return self._parted or self._transport.is_closing()

    def close(self) -> None:
        self._parted = True
        self._part()
