"""Parser callbacks of one connection: uvicorn's, with a limit for every part of a request (RFC 9112 sections 2 to 7).

    part of a request                                      limit                                    error
    request target                                         8 KiB                                    414
    header fields, trailer fields                          100 fields, 32 KiB                       431
    all bytes of the header, and line breaks before it     48 KiB                                   431
    all bytes of the body that are not content: chunk      32 KiB, and 8 bytes for each byte        431
    sizes, chunk extensions, trailer fields                of content
    content                                                1 MiB, see web.http.request_body         413
    requests that wait for their turn                      those that end in the same KiB           none: they wait

The parser joins the pieces of a field itself, and reports a field only when it is complete. So bytes are counted before
they are parsed, and parsed in pieces.
"""

from __future__ import annotations

import asyncio
from collections import deque
from urllib.parse import unquote

import httptools
from uvicorn._types import ASGIVersions
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from web.exceptions import MalformedRequest, RequestError, TargetTooLong
from web.http import request_checks
from web.http.request_checks import MAX_HEADER_BYTES, MAX_HEADER_FIELDS, MAX_TARGET_BYTES
from web.responses import EXTENSIONS
from web.server.connection_transport import ConnectionTransport
from web.server.cycle import Cycle
from web.server.parser import Parser

MAX_HEAD_BYTES = MAX_TARGET_BYTES + MAX_HEADER_BYTES + 8 * 1024
# A chunk of one byte needs five more; a client may add three.
FRAMING_PER_CONTENT_BYTE = 8
# What a request takes beside its content, and a header field beside its name and value.
REQUEST_BYTES, FIELD_BYTES = 2048, 192
# RFC 9110 section 6.5.1: fields for framing and routing. The parser would obey them, and drop the requests that follow.
_NEVER_TRAILERS = frozenset((b"connection", b"content-length", b"transfer-encoding", b"upgrade"))


class ParserCallbacks(HttpToolsProtocol):
    """The hooks are uvicorn's, in the order in which it calls them."""

    parser: Parser  # type: ignore[assignment] # replaces uvicorn's parser

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.parser = Parser(self)
        self.url = b""
        self._error: RequestError | None = None
        self._in_head = self._upgrade_ignored = False
        self._framing_bytes = self._field_bytes = self._fields = self._content_length = self._content_left = 0
        self._asgi: ASGIVersions = {"version": self.asgi_version, "spec_version": "2.3"}
        # The bytes of each request without a response, oldest first.
        self._unanswered: deque[int] = deque()

    def _parse(self, data: bytes) -> None:
        self._framing_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return  # WebSocket, which web.http.request_checks rejects
        except httptools.HttpParserError:
            self._reject_malformed()
        if self._framing_bytes > MAX_HEAD_BYTES:
            self._reject(request_checks.too_many_fields())

    def _is_in_content(self) -> bool:
        return bool(self._unanswered) and not self._in_head and self.cycle.more_body

    def on_message_begin(self) -> None:
        """In place of uvicorn's, which makes the scope before anything of the request is known."""
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self._in_head = True
        self._framing_bytes = self._field_bytes = self._fields = self._content_length = self._content_left = 0

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > MAX_TARGET_BYTES:
            self._fail(TargetTooLong(f"The request target has more than {MAX_TARGET_BYTES} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called for trailer fields too; they are counted and dropped, because they must not become header fields."""
        name = name.lower()
        self._fields += 1
        self._field_bytes += len(name) + len(value)
        if self._in_head:
            self.headers.append((name, value.rstrip(b" \t")))  # RFC 9110 section 5.5
            if name == b"content-length":
                self._content_length = int(value)  # the parser has refused what is no number
            elif name == b"expect":
                self.expect_100_continue = value.lower() == b"100-continue"
        elif name in _NEVER_TRAILERS:
            self._fail(MalformedRequest(f"The trailer field {name.decode('ascii')} is not allowed"))
        if self._fields > MAX_HEADER_FIELDS or self._field_bytes > MAX_HEADER_BYTES:
            self._fail(request_checks.too_many_fields())

    def _begin_request(self, method: bytes, version: str, transport: ConnectionTransport) -> None:
        """Starts the request whose header is complete, or lets it wait for its turn; in place of uvicorn's.

        The target is valid, so that it has nothing but a path and a query (RFC 9112 section 3.2.1).
        """
        path, _, query = self.url.partition(b"?")
        text = path.decode("ascii")
        self.scope = {
            "type": "http",
            "asgi": self._asgi,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "method": method.decode("ascii"),
            "root_path": "",
            "path": unquote(text) if "%" in text else text,
            "raw_path": path,
            "query_string": query,
            "headers": self.headers,
            "state": self.app_state.copy(),
            "extensions": EXTENSIONS,
        }
        waits = self.cycle is not None and not self.cycle.response_complete
        self.cycle = cycle = Cycle(self, transport, keep_alive=version != "1.0" and self.parser.should_keep_alive())
        self._in_head = False
        self._content_left = self._content_length
        self._framing_bytes = MAX_HEAD_BYTES - MAX_HEADER_BYTES
        self._unanswered.append(REQUEST_BYTES + self._field_bytes + self._fields * FIELD_BYTES)
        if waits:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
        else:
            self._start_asgi_task(cycle, self.app)

    def on_body(self, body: bytes) -> None:
        self._framing_bytes -= len(body) * (1 + FRAMING_PER_CONTENT_BYTE)
        self._content_left -= len(body)
        if not self.cycle.response_complete:
            super().on_body(body)
            self._unanswered[-1] += len(body)

    def on_message_complete(self) -> None:
        """In place of uvicorn's, which asks the parser for an upgrade again."""
        if not self._upgrade_ignored:
            self._framing_bytes = 0
            if not self.cycle.response_complete:
                self.cycle.more_body = False
                self.cycle.message_event.set()

    def _reject_malformed(self) -> None:
        # A variable in the caller would be a reference cycle: the traceback of the error has the caller's frame.
        error, self._error = self._error or MalformedRequest("The request is not valid HTTP"), None
        self._reject(error)

    def _fail(self, error: RequestError) -> None:
        """Rejects a request from within a callback, by an exception of the parser."""
        self._error = error
        raise httptools.HttpParserError(error.system_message)

    def _reject(self, error: RequestError) -> None:
        """Answers what cannot be parsed, unless the connection is closing already."""
        raise NotImplementedError
