"""The HTTP server's side: uvicorn's protocol with limits on headers and time, and errors that are the envelope too."""

from __future__ import annotations

import asyncio
import secrets

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from web import exceptions, response_headers
from web.exceptions import HeadersTooLarge, MalformedRequest, Refusal, RequestTimeout, TargetTooLong
from web.http import request_checks
from web.http.request_checks import LONGEST_TARGET, MOST_FIELD_BYTES, MOST_FIELDS
from web.responses import EXTENSIONS, Answer
from web.server.cycle import GENERAL, Parting
from web.server.lifespan_state import UNHEARD
from web.server.parser import Parser
from web.server.timeouts import Patience
from web.telemetry.metrics import meter

MOST_PIPELINED = 256
LONGEST_HEAD = LONGEST_TARGET + MOST_FIELD_BYTES + 8 * 1024
log = structlog.get_logger("web.server.protocol")


class Protocol(HttpToolsProtocol):
    """One connection; the hooks are uvicorn's own, in the order in which it calls them. Times are in seconds."""

    slowest_headers = 10.0
    slowest_reader = 30.0
    linger = 2.0
    parser: Parser  # type: ignore[assignment] # it stands before uvicorn's

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.parser = Parser(self)
        self._parting = Parting(self.transport, self.part)
        self._parted = False
        self._deaf = False
        self._half_closed = False
        self._unanswered = 0
        self._refusal: Refusal | None = None
        self._in_head = self._begun = self._ignored = False
        self._head_bytes = self._field_bytes = self._fields = 0
        self._reader_deadline: asyncio.TimerHandle | None = None
        self._patience = Patience(
            self.loop, self.slowest_headers, self.timeout_keep_alive, self._too_slow, self._rested_enough
        )
        self._patience.await_header()

    def connection_lost(self, exc: Exception | None) -> None:
        self._parted = self._deaf = True
        self._patience.end()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._begun = False
        super().data_received(data)
        if self._in_head and not self._deaf:
            self._bound_head(0 if self._begun else len(data))
        if (self._in_head or not self._unanswered) and not self._deaf:
            self._patience.await_header()
        if len(self.pipeline) > MOST_PIPELINED and not self._deaf:
            self._hear_no_more()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Whether to keep the connection for writing: a client that has asked all it wants may still listen."""
        self._half_closed = True
        self._hear_no_more()
        return self._unanswered > 0 and not self._parted

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = EXTENSIONS
        self._in_head = self._begun = True
        self._head_bytes = self._field_bytes = self._fields = 0

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > LONGEST_TARGET:
            self._refuse(TargetTooLong(f"The request target has more than {LONGEST_TARGET} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called for trailer fields too, which are counted and dropped: they must not pass for header fields."""
        self._fields += 1
        self._field_bytes += len(name) + len(value)
        if self._in_head:
            name = name.lower()
            self.headers.append((name, value.rstrip(b" \t")))  # blanks around a value are no part of it (section 5.5)
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
        if self._fields > MOST_FIELDS or self._field_bytes > MOST_FIELD_BYTES:
            self._refuse(_too_many_fields())

    def on_headers_complete(self) -> None:
        self._patience.stop_waiting()
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            self._refuse(MalformedRequest("This server speaks HTTP/1.1 and HTTP/1.0"))
        try:
            self.url = request_checks.origin_form(self.parser.get_method(), self.url)
        except MalformedRequest as refusal:
            self._refuse(refusal)
        offer = self.parser.should_upgrade()
        self._ignored = offer and self.parser.ignores_offer()
        if self._ignored:
            return
        self.expect_100_continue = self.expect_100_continue and version == "1.1"
        super().on_headers_complete()
        self._in_head = False
        self._unanswered += 1
        self.cycle.transport = self._parting
        if offer:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        if not self._ignored:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for whatever its parser refuses, our own refusals included."""
        refusal, self._refusal = self._refusal or MalformedRequest("The request is not legal HTTP"), None
        self._turn_away(refusal)

    def on_response_complete(self) -> None:
        self._unanswered -= 1
        if self._parted:
            return
        if self._unanswered:
            super().on_response_complete()
            return
        # As uvicorn does it where no further request was read, but for its timer.
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._patience.rest()
        if self._refusal is not None:
            self._answer_and_part(self._refusal)
        elif self._deaf:
            self.part()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reader_deadline = self.loop.call_later(self.slowest_reader, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reader_deadline is not None:
            self._reader_deadline.cancel()

    def part(self) -> None:
        """Says goodbye, then reads on for a moment: closing at once would reset the connection under the answer."""
        self._parted = self._deaf = True
        self._patience.stop_waiting()
        self.pipeline.clear()
        self.flow.resume_reading()
        if self._half_closed or not self.transport.can_write_eof():
            self.transport.close()
        elif not self.transport.is_closing():
            self.transport.write_eof()
            self.loop.call_later(self.linger, self.transport.close)
            self.loop.call_later(self.slowest_reader, self.transport.abort)

    def _refuse(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise httptools.HttpParserError(refusal.system_message)

    def _turn_away(self, refusal: Refusal) -> None:
        """Refuses what is being read, once all that was read before it has its answer."""
        self._deaf = True
        self._patience.stop_waiting()
        if not self._in_head and self._unanswered and self.cycle.more_body and not self._dropped():
            return
        if self._unanswered:
            self._refusal = refusal
        else:
            self._answer_and_part(refusal)

    def _hear_no_more(self) -> None:
        """Answers the whole requests that were read, and then parts (RFC 9112 section 9.6)."""
        self._deaf = True
        self._patience.stop_waiting()
        if self._unanswered and self.cycle.more_body and not self._in_head:
            self._dropped()
        elif self._unanswered:
            self.cycle.keep_alive = False

    def _dropped(self) -> bool:
        """Whether the request whose content is broken was given up; if not, its answer is already on the way."""
        if self.pipeline and self.pipeline[0][0] is self.cycle:
            self.pipeline.popleft()
        elif self.cycle.response_started:
            return False
        else:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._unanswered -= 1
        return True

    def _bound_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > LONGEST_HEAD:
            self._turn_away(_too_many_fields())

    def _too_slow(self) -> None:
        if self._in_head:
            self._turn_away(RequestTimeout(f"The header did not arrive within {self.slowest_headers:g} seconds"))
        else:
            self._rested_enough()

    def _rested_enough(self) -> None:
        if not self._unanswered and not self._in_head:
            self.transport.close()

    def _answer_and_part(self, refusal: Refusal) -> None:
        request_id = "req_" + secrets.token_hex(8)
        answer = exceptions.render(refusal, request_id)
        log.info("request", trace_id=request_id, status=answer.status, refused=refusal.system_message)
        if meter.on:
            meter.seen(None, answer.status, 0.0)
        self.transport.write(self._wire(answer, request_id))
        self.part()

    def _wire(self, answer: Answer, request_id: str) -> bytes:
        content = b"" if self.url and self.parser.get_method() == b"HEAD" else answer.body
        answer = answer._replace(headers=answer.headers | {"connection": "close"})
        general = GENERAL.lines(self.server_state.default_headers)
        further = b""
        if UNHEARD in self.app_state:
            further = self.app_state[UNHEARD](self.client[0] if self.client else "")
        return (
            STATUS_LINE[answer.status]
            + general
            + response_headers.header(answer, request_id, further)
            + b"\r\n"
            + content
        )


def _too_many_fields() -> HeadersTooLarge:
    return HeadersTooLarge(f"The request has more than {MOST_FIELDS} header fields or {MOST_FIELD_BYTES} bytes of them")
