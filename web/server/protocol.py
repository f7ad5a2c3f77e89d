"""HTTP protocol of one connection: uvicorn's, with size limits, timeouts, and errors in the envelope.

    state        reads   sends                                 ends when
    READING      yes     responses                             an error or EOF
    FINISHING    no      pending responses, then the error     all are sent: LINGERING
    HALF_CLOSED  no      pending responses, then the error     all are sent: the transport closes
    LINGERING    drops   nothing                               the client closes, or `linger` seconds have passed
    CLOSED       -       -                                     -

uvicorn calls the `on_*` hooks of its parser in the order of the request: on_message_begin, on_url, on_header,
on_headers_complete, on_body, on_message_complete; and on_response_complete when a response was written. A hook that
rejects a request calls `_fail`, which raises into the parser; then `_reject` sends the error after the responses to all
earlier (pipelined) requests. Bytes that follow are dropped.

LINGERING is the lingering close of RFC 9112 section 9.6: half-close, drain, close. Closing at once would send a reset,
and the client could lose the response. Timers are those of web.server.timeouts (header timeout, keep-alive timeout)
and the write timeout: the connection of a client that does not read its response is aborted. The memory limiter knows
what a connection holds: bytes not parsed yet, requests without a response, and responses that the client has not read.

What may not happen: a response to bytes that follow an error, two responses to one request, a connection that outlives
its timers, timers or reference cycles that outlive their connection, or a protocol error without the envelope
(web.error_envelope).
"""

from __future__ import annotations

import asyncio

from web.exceptions import MalformedRequest, RequestError, RequestTimeout
from web.http import request_checks
from web.server import error_response
from web.server.flow_control import ConnectionState, FlowControlledProtocol
from web.server.lifespan_state import PIPELINE_QUEUE
from web.server.pipelining import PipelineQueue
from web.server.timeouts import ConnectionTimeouts


class Protocol(FlowControlledProtocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._close_timers: list[asyncio.TimerHandle] = []
        limits = self.config.header_timeout, self.timeout_keep_alive
        self._timeouts = ConnectionTimeouts(self.loop, *limits, self._on_header_timeout, self._on_keepalive_timeout)
        super().connection_made(transport)
        self._pipeline_queue: PipelineQueue = self.app_state.setdefault(PIPELINE_QUEUE, PipelineQueue())
        self._timeouts.start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._state = ConnectionState.CLOSED
        self._timeouts.cancel()
        for timer in self._close_timers:
            timer.cancel()
        super().connection_lost(exc)

    def _await_header(self) -> None:
        if not self._state:
            self._timeouts.start_header_timer()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Whether to keep the connection open for writing: a client may half-close and still read responses."""
        if self._state >= ConnectionState.LINGERING:
            return False
        self._eof_received = True
        self._end_input()
        return bool(self._unanswered)

    def on_headers_complete(self) -> None:
        self._timeouts.cancel_header_timer()
        version, method = self.parser.get_http_version(), self.parser.get_method()
        if version not in ("1.0", "1.1"):
            self._fail(MalformedRequest("This server supports HTTP/1.1 and HTTP/1.0"))
        try:
            self.url = request_checks.normalize_target(method, self.url)
        except MalformedRequest as error:
            self._fail(error)
        upgrade = self.parser.should_upgrade()
        self._upgrade_ignored = upgrade and self.parser.ignores_upgrade()
        if self._upgrade_ignored:
            return
        self.expect_100_continue = self.expect_100_continue and version == "1.1"
        self._begin_request(method, version, self._connection)
        if upgrade:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        """As uvicorn's, except for the keep-alive timer, and for when reading is resumed."""
        self._unanswered.popleft()
        if self._held:
            self._report_memory()
        if self._state >= ConnectionState.LINGERING or self.transport.is_closing():
            return
        self.server_state.total_requests += 1
        if self.pipeline:
            self._pipeline_queue.put(self._start_pipelined, self.loop)
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self._unanswered:
            return
        if self._state:
            self._finish()
        else:
            self._timeouts.start_keepalive_timer()

    def _finish(self) -> None:
        """Closes the connection after the last response; first with the error of a request that was rejected."""
        if self._error is not None:
            self._respond_and_close(self._error)
        else:
            self.close_gracefully()

    def _start_pipelined(self) -> None:
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            if not self.pipeline:
                self.flow.resume_reading()

    def close_gracefully(self) -> None:
        """Lingering close: half-close, drain for `linger` seconds, close."""
        half_closed, self._state = self._state is ConnectionState.HALF_CLOSED, ConnectionState.LINGERING
        self._timeouts.cancel_header_timer()
        self._unparsed.clear()
        self.pipeline.clear()
        self.flow.resume_reading()
        if half_closed or not self.transport.can_write_eof():
            self.transport.close()
        elif not self.transport.is_closing():
            self.transport.write_eof()
            later = (self.config.linger, self.transport.close), (self.config.write_timeout, self.transport.abort)
            self._close_timers += [self.loop.call_later(seconds, close) for seconds, close in later]

    def _reject(self, error: RequestError) -> None:
        """Sends the error after the responses to all requests that were read before it."""
        if self._state:
            return
        self._state = ConnectionState.FINISHING
        self._unparsed.clear()
        self._timeouts.cancel_header_timer()
        if self._is_in_content() and not self._drop_request():
            return
        if self._unanswered:
            self._error = error
        else:
            self._respond_and_close(error)

    def _end_input(self) -> None:
        """Once all bytes before the end are parsed: responds to their requests, then closes (RFC 9112 section 9.6)."""
        if not self._eof_received or self._unparsed or self._state >= ConnectionState.HALF_CLOSED:
            return
        rejected, self._state = self._state is ConnectionState.FINISHING, ConnectionState.HALF_CLOSED
        self._timeouts.cancel_header_timer()
        if rejected:
            return
        if self._is_in_content():
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
        self._unanswered.pop()
        return True

    def _on_header_timeout(self) -> None:
        if self.flow.read_paused:
            self._timeouts.start_header_timer()  # the rest of the header waits for a response of this server
        elif self._in_head:
            self._reject(RequestTimeout(f"The header did not arrive within {self.config.header_timeout:g} seconds"))
        else:
            self._on_keepalive_timeout()

    def _on_keepalive_timeout(self) -> None:
        if not self._unanswered and not self._in_head:
            self.transport.close()

    def _respond_and_close(self, error: RequestError) -> None:
        head_only = bool(self.url) and self.parser.get_method() == b"HEAD"
        content = error_response.serialize(error, self.app_state, self.server_state, self._peer(), head_only)
        self.transport.write(content)
        self.close_gracefully()
