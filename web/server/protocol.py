"""HTTP protocol of one connection: uvicorn's, with size limits, timeouts, and errors in the envelope.

    state        reads   sends                                 ends when
    READING      yes     responses                             an error, EOF, or too many pipelined requests
    FINISHING    no      pending responses, then the error     all are sent: LINGERING
    HALF_CLOSED  no      pending responses, then the error     all are sent: the transport closes
    LINGERING    drops   nothing                               the client closes, or `linger` seconds have passed
    CLOSED       -       -                                     -

uvicorn calls the `on_*` hooks of its parser in the order of the request: on_message_begin, on_url, on_header,
on_headers_complete, on_body, on_message_complete; and on_response_complete when a response was written. A hook that
rejects a request calls `_fail`, which raises into the parser; uvicorn then calls `send_400_response`, which sends the
error after the responses to all earlier (pipelined) requests. Bytes that follow are dropped.

LINGERING is the lingering close of RFC 9112 section 9.6: half-close, drain, close. Closing at once would send a reset,
and the client could lose the response. Timers are those of web.server.timeouts (header timeout, keep-alive timeout)
and the write timeout: the connection of a client that does not read its response is aborted.

What may not happen: a response to bytes that follow an error, two responses to one request, a connection that outlives
its timers, or a protocol error without the envelope (web.error_envelope).
"""

from __future__ import annotations

import asyncio
from enum import IntEnum

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from web.exceptions import MalformedRequest, RequestError, RequestTimeout, TargetTooLong
from web.http import request_checks
from web.http.request_checks import MAX_HEADER_BYTES, MAX_HEADER_FIELDS, MAX_TARGET_BYTES
from web.responses import EXTENSIONS
from web.server import error_response
from web.server.config import ServerConfig
from web.server.cycle import LingeringTransport
from web.server.parser import Parser
from web.server.timeouts import ConnectionTimeouts

MAX_PIPELINED = 256
MAX_HEAD_BYTES = MAX_TARGET_BYTES + MAX_HEADER_BYTES + 8 * 1024


class ConnectionState(IntEnum):
    """State of a connection; see the table in the module's docstring."""

    READING = 0
    FINISHING = 1
    HALF_CLOSED = 2
    LINGERING = 3
    CLOSED = 4


class Protocol(HttpToolsProtocol):
    """One connection; the hooks are uvicorn's, in the order in which it calls them."""

    config: ServerConfig
    parser: Parser  # type: ignore[assignment] # replaces uvicorn's parser

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.parser = Parser(self)
        self._lingering = LingeringTransport(self.transport, self.close_gracefully)
        self._state = ConnectionState.READING
        self._unanswered = 0
        self._error: RequestError | None = None
        self._in_head = self._message_began = self._upgrade_ignored = False
        self._head_bytes = self._field_bytes = self._fields = 0
        self._write_timer: asyncio.TimerHandle | None = None
        limits = self.config.header_timeout, self.timeout_keep_alive
        self._timeouts = ConnectionTimeouts(self.loop, *limits, self._on_header_timeout, self._on_keepalive_timeout)
        self._timeouts.start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._state = ConnectionState.CLOSED
        self._timeouts.cancel()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._state:
            return
        self._message_began = False
        super().data_received(data)
        if self._in_head and not self._state:
            self._check_head_size(0 if self._message_began else len(data))
        if (self._in_head or not self._unanswered) and not self._state:
            self._timeouts.start_header_timer()
        if len(self.pipeline) > MAX_PIPELINED and not self._state:
            self._stop_reading()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Whether to keep the connection open for writing: a client may half-close and still read responses."""
        if self._state >= ConnectionState.LINGERING:
            return False
        self._stop_reading(ConnectionState.HALF_CLOSED)
        return self._unanswered > 0

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = EXTENSIONS
        self._in_head = self._message_began = True
        self._head_bytes = self._field_bytes = self._fields = 0

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > MAX_TARGET_BYTES:
            self._fail(TargetTooLong(f"The request target has more than {MAX_TARGET_BYTES} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called for trailer fields too; they are counted and dropped, because they must not become header fields."""
        self._fields += 1
        self._field_bytes += len(name) + len(value)
        if self._in_head:
            name = name.lower()
            self.headers.append((name, value.rstrip(b" \t")))  # RFC 9110 section 5.5
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
        if self._fields > MAX_HEADER_FIELDS or self._field_bytes > MAX_HEADER_BYTES:
            self._fail(request_checks.too_many_fields())

    def on_headers_complete(self) -> None:
        self._timeouts.cancel_header_timer()
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            self._fail(MalformedRequest("This server supports HTTP/1.1 and HTTP/1.0"))
        try:
            self.url = request_checks.normalize_target(self.parser.get_method(), self.url)
        except MalformedRequest as error:
            self._fail(error)
        upgrade = self.parser.should_upgrade()
        self._upgrade_ignored = upgrade and self.parser.ignores_upgrade()
        if self._upgrade_ignored:
            return
        self.expect_100_continue = self.expect_100_continue and version == "1.1"
        super().on_headers_complete()
        self._in_head = False
        self._unanswered += 1
        self.cycle.transport = self._lingering
        if upgrade:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        if not self._upgrade_ignored:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for each parser error, including those raised by `_fail`."""
        error, self._error = self._error or MalformedRequest("The request is not valid HTTP"), None
        self._reject(error)

    def on_response_complete(self) -> None:
        self._unanswered -= 1
        if self._state >= ConnectionState.LINGERING:
            return
        if self._unanswered:
            super().on_response_complete()
            return
        # As uvicorn's on_response_complete without a pipelined request, except for its timer.
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._timeouts.start_keepalive_timer()
        if self._error is not None:
            self._respond_and_close(self._error)
        elif self._state:
            self.close_gracefully()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.config.write_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()

    def close_gracefully(self) -> None:
        """Lingering close: half-close, drain for `linger` seconds, close."""
        half_closed, self._state = self._state is ConnectionState.HALF_CLOSED, ConnectionState.LINGERING
        self._timeouts.cancel_header_timer()
        self.pipeline.clear()
        self.flow.resume_reading()
        if half_closed or not self.transport.can_write_eof():
            self.transport.close()
        elif not self.transport.is_closing():
            self.transport.write_eof()
            self.loop.call_later(self.config.linger, self.transport.close)
            self.loop.call_later(self.config.write_timeout, self.transport.abort)

    def _fail(self, error: RequestError) -> None:
        self._error = error
        raise httptools.HttpParserError(error.system_message)

    def _reject(self, error: RequestError) -> None:
        """Sends the error after the responses to all requests that were read before it."""
        self._state = max(self._state, ConnectionState.FINISHING)
        self._timeouts.cancel_header_timer()
        if not self._in_head and self._unanswered and self.cycle.more_body and not self._drop_request():
            return
        if self._unanswered:
            self._error = error
        else:
            self._respond_and_close(error)

    def _stop_reading(self, state: ConnectionState = ConnectionState.FINISHING) -> None:
        """Stops reading, responds to the requests already parsed, closes (RFC 9112 section 9.6)."""
        self._state = state
        self._timeouts.cancel_header_timer()
        if self._unanswered and self.cycle.more_body and not self._in_head:
            self._drop_request()
        elif self._unanswered:
            self.cycle.keep_alive = False

    def _drop_request(self) -> bool:
        """Drops the request whose content is incomplete or invalid; False if its response has already started."""
        if self.pipeline and self.pipeline[0][0] is self.cycle:
            self.pipeline.popleft()
        elif self.cycle.response_started:
            return False
        else:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._unanswered -= 1
        return True

    def _check_head_size(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._reject(request_checks.too_many_fields())

    def _on_header_timeout(self) -> None:
        if self._in_head:
            self._reject(RequestTimeout(f"The header did not arrive within {self.config.header_timeout:g} seconds"))
        else:
            self._on_keepalive_timeout()

    def _on_keepalive_timeout(self) -> None:
        if not self._unanswered and not self._in_head:
            self.transport.close()

    def _respond_and_close(self, error: RequestError) -> None:
        peer = self.client[0] if self.client else ""
        head_only = bool(self.url) and self.parser.get_method() == b"HEAD"
        self.transport.write(error_response.serialize(error, self.app_state, self.server_state, peer, head_only))
        self.close_gracefully()
