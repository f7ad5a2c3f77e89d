"""Request-response cycle on uvicorn's, and the transport of the lingering close.

Decision 43.
"""

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
    """uvicorn's default headers, encoded. uvicorn makes a new list of them every second."""

    def __init__(self) -> None:
        self._fields: list[tuple[bytes, bytes]] = []
        self._lines = b""

    def lines(self, fields: list[tuple[bytes, bytes]]) -> bytes:
        """The fields as lines that end in CRLF."""
        if fields is not self._fields:
            self._fields, self._lines = fields, b"".join([b"%b: %b\r\n" % field for field in fields])
        return self._lines


DEFAULT_HEADER_CACHE = DefaultHeaderCache()


class Cycle(RequestResponseCycle):
    """One request and its response; sends `connection: close` if it responds before the request was read completely."""

    is_unframed = False

    async def send(self, message: Any) -> None:
        if not self.response_started and self.more_body:
            self.keep_alive = False
        if SINGLE_MESSAGE not in message:
            self._frame(message)
            await super().send(message)
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            self._write(STATUS_LINE[message["status"]], message[SINGLE_MESSAGE])

    def _frame(self, message: Any) -> None:
        """HTTP/1.0 has no chunks: a body of unknown length ends with the connection (RFC 9112 section 6.3)."""
        if self.scope["http_version"] != "1.0":
            return
        if not self.response_started:
            self.is_unframed = b"content-length" not in dict(message["headers"])
            self.chunked_encoding = False if self.is_unframed else None
        elif self.is_unframed:
            self.expected_content_length = len(message.get("body", b""))

    async def send_500_response(self) -> None:
        """Called by uvicorn after it has logged an exception that the application did not handle."""
        request_id = new_request_id()
        catalog = self.scope["state"][ERROR_CATALOG]
        response = catalog.to_response(InternalError("The application failed"), request_id)
        self.keep_alive = False
        self._write(
            STATUS_LINE[500],
            SerializedResponse(response_headers.build_headers(response, request_id, b""), response.body, closes=False),
        )

    def _write(self, status: bytes, response: SerializedResponse) -> None:
        """Writes the response at once. uvicorn would encode each field separately, which takes longer than the rest."""
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        closes = response.closes or CLOSE in self.default_headers
        self.keep_alive = self.keep_alive and not closes
        defaults = DEFAULT_HEADER_CACHE.lines(self.default_headers)
        end = b"\r\n" if self.keep_alive or closes else b"connection: close\r\n\r\n"
        self.transport.write(b"".join((status, defaults, response.header, end, response.content)))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


# uvicorn creates cycles by this name and has no option for their class.
httptools_impl.RequestResponseCycle = Cycle  # type: ignore[misc]


class LingeringTransport(asyncio.Transport):
    """A transport whose close() calls `close_gracefully`, so that the client can read its response first."""

    def __init__(self, transport: asyncio.Transport, close_gracefully: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._close_gracefully = close_gracefully
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self.is_closing():  # uvloop raises for a write to a closing transport
            self._transport.write(data)

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        self._closing = True
        self._close_gracefully()
