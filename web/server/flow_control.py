"""Flow control of one connection: when bytes are parsed, when reading is paused, and what the connection holds.

Requests are parsed one KiB at a time, content of a known length at once, and only while no request waits for its turn:
the rest stays as bytes, and the socket is not read. The memory limiter is told what the connection holds.
"""

from __future__ import annotations

import asyncio
import sys
from enum import IntEnum

from uvicorn.protocols.http.flow_control import FlowControl

from web.server.config import ServerConfig
from web.server.connection_transport import ConnectionTransport
from web.server.lifespan_state import MEMORY_LIMITER
from web.server.memory_limiter import MemoryLimiter
from web.server.parser_callbacks import FIELD_BYTES, ParserCallbacks

PIECE_BYTES = 1024
# What the connection holds is reported when it has changed by so many bytes.
STEP_BYTES = 8 * 1024
# How often in one write timeout a client that reads slowly is looked at.
PROGRESS_CHECKS = 10


class ConnectionState(IntEnum):
    """State of a connection; see the table in web.server.protocol."""

    READING = 0
    FINISHING = 1
    HALF_CLOSED = 2
    LINGERING = 3
    CLOSED = 4


class FlowControlledProtocol(ParserCallbacks):
    """Bounds what one connection holds: bytes not parsed yet, requests without a response, and unread responses."""

    config: ServerConfig

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._state = ConnectionState.READING
        self._connection = ConnectionTransport(transport, self, self.config.write_timeout)
        self.flow = FlowControl(self._connection)
        self._unparsed = bytearray()
        self._eof_received = False
        self._held = 0
        self._write_timer: asyncio.TimerHandle | None = None
        self._progress = sys.maxsize, 0
        self._limiter: MemoryLimiter = self.app_state[MEMORY_LIMITER]
        self._memory = self._limiter.connect(self._peer(), self._abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_write_timer()
        super().connection_lost(exc)
        self._limiter.disconnect(self._memory)
        self._drop_references()

    def _abort(self) -> None:
        """Closes the connection, and releases what it holds before the event loop has closed the socket."""
        self._state = ConnectionState.CLOSED
        self.transport.abort()
        self._unparsed.clear()
        self.headers, self.scope, self.parser = [], {}, None  # type: ignore[typeddict-item,assignment]

    def _drop_references(self) -> None:
        """Breaks the reference cycles of the connection: its memory returns without the garbage collector."""
        self._connection.detach()
        self.pipeline.clear()
        self._unparsed.clear()
        self._error = None
        self.cycle = None  # type: ignore[assignment] # the task of a running request has it too

    def data_received(self, data: bytes) -> None:
        if self._state:
            return
        if self._unparsed or len(data) > max(PIECE_BYTES, self._content_left):
            self._unparsed += data
            self._parse_unparsed()
        else:
            self._parse(data)
        self._on_parsed()

    def resume_reading(self) -> None:
        """Called when the application wants more of a body, or can take the next request.

        While a request waits for its turn, reading stays paused: only the end of the pipeline would resume it.
        """
        self._parse_unparsed()
        if self.pipeline:
            self.flow.pause_reading()
        self._on_parsed()
        self._end_input()

    def _end_input(self) -> None:
        """Ends the connection once the bytes before its end are parsed."""
        raise NotImplementedError

    def _await_header(self) -> None:
        """Starts the time in which the rest of a header must arrive."""
        raise NotImplementedError

    def close_gracefully(self) -> None:
        """Closes the connection so that the client can read its response first."""
        raise NotImplementedError

    def pause_writing(self) -> None:
        super().pause_writing()
        self._progress = sys.maxsize, 0
        if self._write_timer is None:
            self._start_write_timer()
        self._report_memory()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self._unanswered:
            self._report_memory()

    def _start_write_timer(self) -> None:
        self._write_timer = self.loop.call_later(self.config.write_timeout / PROGRESS_CHECKS, self._check_progress)

    def _check_progress(self) -> None:
        """Aborts the connection of a client that has taken nothing for the write timeout, however slow others are."""
        self._write_timer = None
        if not self.flow.write_paused:
            return
        before, checks = self._progress
        unsent = self._connection.unsent_bytes()
        self._progress = (unsent, 0) if unsent < before else (before, checks + 1)
        if self._progress[1] < PROGRESS_CHECKS:
            self._start_write_timer()
        else:
            self.transport.abort()

    def _cancel_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _parse_unparsed(self) -> None:
        """Parses what has arrived, until a request has to wait for its turn."""
        while self._unparsed and not self.pipeline:
            size = max(PIECE_BYTES, self._content_left)
            piece = bytes(self._unparsed[:size])
            del self._unparsed[:size]
            self._parse(piece)

    def _on_parsed(self) -> None:
        if self._in_head or not self._unanswered:
            self._report_memory()
            self._await_header()
        elif self._held or self._unparsed or self.pipeline or self.cycle.more_body:
            self._report_memory()

    def _report_memory(self) -> None:
        """Tells the memory limiter what the connection holds; it may close this connection."""
        held = len(self._unparsed) + sum(self._unanswered) + self.transport.get_write_buffer_size()
        if self._in_head:
            held += self._framing_bytes + self._fields * FIELD_BYTES
        if abs(held - self._held) > STEP_BYTES:
            self._held = held
            self._limiter.resize(self._memory, held)

    def _peer(self) -> str:
        return self.client[0] if self.client else ""
