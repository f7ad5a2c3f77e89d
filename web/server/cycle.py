"""One request and its response as uvicorn drives them, and what such a cycle sees of its connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from web import response_headers
from web.context import new_request_id
from web.exceptions import InternalError
from web.responses import SINGLE_MESSAGE, SerializedResponse
from web.server.lifespan_state import ERROR_CATALOG

CLOSE = (b"connection", b"close")


class DefaultHeaderCache:
    """The fields of uvicorn's that every answer has, as lines. It makes a new list of them every second."""

    def __init__(self) -> None:
        self._fields: list[tuple[bytes, bytes]] = []
        self._lines = b""

    def lines(self, fields: list[tuple[bytes, bytes]]) -> bytes:
        """Each with the end of its line."""
        if fields is not self._fields:
            self._fields, self._lines = fields, b"".join([b"%b: %b\r\n" % field for field in fields])
        return self._lines


DEFAULT_HEADER_CACHE = DefaultHeaderCache()


class Cycle(RequestResponseCycle):
    """A connection is of no more use when a request was answered before its end: this says so in the answer."""

    async def send(self, message: Any) -> None:
        if not self.response_started and self.more_body:
            self.keep_alive = False
        if SINGLE_MESSAGE not in message:
            await super().send(message)
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            self._write(STATUS_LINE[message["status"]], message[SINGLE_MESSAGE])

    async def send_500_response(self) -> None:
        """Called by uvicorn, which has logged why, when the application itself has failed."""
        request_id = new_request_id()
        catalog = self.scope["state"][ERROR_CATALOG]
        response = catalog.to_response(InternalError("The application failed"), request_id)
        self.keep_alive = False
        self._write(
            STATUS_LINE[500],
            SerializedResponse(response_headers.build_headers(response, request_id, b""), response.body, last=False),
        )

    def _write(self, status: bytes, whole: SerializedResponse) -> None:
        """All at once. uvicorn would look at each field in turn, which takes longer than the rest of it."""
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        last = whole.last or CLOSE in self.default_headers
        self.keep_alive = self.keep_alive and not last
        general = DEFAULT_HEADER_CACHE.lines(self.default_headers)
        end = b"\r\n" if self.keep_alive or last else b"connection: close\r\n\r\n"
        self.transport.write(b"".join((status, general, whole.header, end, whole.content)))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


# uvicorn makes cycles by this name, and offers no other way to choose their class.
httptools_impl.RequestResponseCycle = Cycle  # type: ignore[misc]


class LingeringTransport(asyncio.Transport):
    """A transport on which to close is to call `part`, which lets the client read its answer first."""

    def __init__(self, transport: asyncio.Transport, part: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._part = part
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self.is_closing():  # whoever was cut off needs no answer, and uvloop would raise
            self._transport.write(data)

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        self._closing = True
        self._part()
