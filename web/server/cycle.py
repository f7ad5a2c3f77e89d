"""Request-response cycle on uvicorn's: writes a response at once, or a large one as fast as the client reads it.

Decision 43.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from web.context import new_request_id
from web.exceptions import InternalError
from web.responses import ABORT, SINGLE_MESSAGE, SerializedResponse
from web.server.connection_transport import ConnectionTransport
from web.server.lifespan_state import DEFAULT_HEADERS, ERROR_CATALOG
from web.server.zero_copy_send import send_file

CLOSE = (b"connection", b"close")
# A larger response is written in pieces of this size, each when the client has read most of the one before.
WRITE_BYTES = 64 * 1024


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

    transport: ConnectionTransport
    # What a request begins with; uvicorn's __init__ would set each of them again.
    access_log = disconnected = response_started = response_complete = is_unframed = is_sized = False
    more_body = True
    chunked_encoding: bool | None = None
    expected_content_length = 0

    def __init__(self, protocol: HttpToolsProtocol, transport: ConnectionTransport, *, keep_alive: bool) -> None:
        self.scope = protocol.scope
        self.transport = transport
        self.flow = protocol.flow
        self.logger = protocol.logger
        self.default_headers = protocol.server_state.default_headers
        self.message_event = asyncio.Event()
        self.on_response = protocol.on_response_complete
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = protocol.expect_100_continue
        self.body = bytearray()

    async def send(self, message: Any) -> None:
        if ABORT in message:
            self.disconnected = True
            self.transport.abort()
            return
        if self.is_sized and message.get("more_body"):
            await self._send_part(message)
            return
        if not self.response_started and self.more_body:
            self.keep_alive = False
        if SINGLE_MESSAGE not in message:
            await self._send_streamed(message)
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        response: SerializedResponse = message[SINGLE_MESSAGE]
        if self.disconnected:
            return
        if len(response.content) <= WRITE_BYTES:
            self._write(STATUS_LINE[message["status"]], response)
        else:
            await self._write_pieces(STATUS_LINE[message["status"]], response)

    async def _send_streamed(self, message: Any) -> None:
        """Sends a message of a streamed response, and returns when the kernel has taken it.

        So the server holds no more of a body than one piece, and the next one is made when there is room for it.
        """
        self._frame(message)
        if not self.response_started:
            self.transport.hold_nothing()
        await super().send(message)
        self.is_sized = self.chunked_encoding is False and not self.is_unframed and self.scope["method"] != "HEAD"
        if self.response_complete:
            self.transport.hold_default()
        elif self.flow.write_paused:
            await self.flow.drain()

    async def _send_part(self, message: Any) -> None:
        """Sends a part of a body of known length: bytes, or a part of a file (ZERO_COPY_SEND)."""
        file = message.get("file")
        self.expected_content_length -= len(message["body"]) if file is None else message["count"]
        if self.expected_content_length < 0:
            raise RuntimeError("The body is longer than its Content-Length")
        if self.disconnected:
            return
        if file is not None:
            end = message["offset"] + message["count"]
            await send_file(self.transport, self.flow, file.fileno(), message["offset"], end)
            return
        self.transport.write(message["body"])
        if self.flow.write_paused:
            await self.flow.drain()

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
        state = self.scope["state"]
        response = state[ERROR_CATALOG].to_response(InternalError("The application failed"), request_id)
        self.keep_alive = False
        header = state[DEFAULT_HEADERS].encode(response, request_id, b"")
        self._write(STATUS_LINE[500], SerializedResponse(header, response.body, closes=False))

    def _write(self, status: bytes, response: SerializedResponse) -> None:
        """Writes the response at once. uvicorn would encode each field separately, which takes longer than the rest."""
        self.transport.write(b"".join((self._header(status, response), response.content)))
        self._complete()

    async def _write_pieces(self, status: bytes, response: SerializedResponse) -> None:
        """Writes a large response, whose content other responses may share; no client gets a copy of its own."""
        timer = asyncio.get_running_loop().call_later(self.transport.write_timeout, self.transport.abort)
        self.transport.write(self._header(status, response))
        content = memoryview(response.content)
        try:
            for start in range(0, len(content), WRITE_BYTES):
                await self.flow.drain()
                self.transport.write(content[start : start + WRITE_BYTES])
        except asyncio.CancelledError:  # the server stops: the client does not get the rest
            self.disconnected = True
            self.transport.abort()
            raise
        finally:
            timer.cancel()
        self._complete()

    def _header(self, status: bytes, response: SerializedResponse) -> bytes:
        """Status line and header section."""
        self.response_started = True
        self.waiting_for_100_continue = False
        closes = response.closes or CLOSE in self.default_headers
        self.keep_alive = self.keep_alive and not closes
        defaults = DEFAULT_HEADER_CACHE.lines(self.default_headers)
        end = b"\r\n" if self.keep_alive or closes else b"connection: close\r\n\r\n"
        return b"".join((status, defaults, response.header, end))

    def _complete(self) -> None:
        self.response_complete = True
        self.body.clear()
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
