"""Proxy between a client and a real server: checks each request and response against the contract, and changes neither.

What it finds is a header of the response, a line of the log and a row of the report. Decision 91.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import structlog

from mock.contract_check import ContractCheck, Headers
from mock.proxy_report import Found, ProxyReport
from models.exceptions import Unavailable
from web.asgi import Receive, Scope, Send
from web.context import RequestContext
from web.contract import views
from web.contract.media_types import is_json
from web.contract.reading import DOCS
from web.contract.views import Contract
from web.default_headers import DefaultHeaders
from web.error_envelope import ErrorCatalog
from web.response_headers import send_response
from web.server import lifespan_state
from web.server.memory_limiter import MemoryLimiter

VIOLATIONS_HEADER = b"contract-violations"
MAX_LISTED = 20
"""Violations in the header of one response."""
TIMEOUT_SECONDS = 60
# Those of one connection (RFC 9110 section 7.6.1), and what the next connection has its own of.
_PER_CONNECTION = frozenset(
    (b"connection", b"host", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
     b"trailer", b"transfer-encoding", b"upgrade")
)  # fmt: skip
log = structlog.get_logger("mock.proxy")


class Proxy:
    """The ASGI application that forwards to `server`, such as `https://music.example`."""

    def __init__(self, server: str, document: dict[str, Any], errors: ErrorCatalog, memory: MemoryLimiter) -> None:
        self.report = ProxyReport(server)
        self._server = server
        self._check = ContractCheck(document)
        self._contract, self._default_headers = Contract(document), DefaultHeaders(document)
        self._errors, self._memory = errors, memory
        self._pages = (DOCS.encode(), views.yaml_path(document).encode())
        # Without the proxies and credentials that the environment names, and without following redirects.
        self._client = httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope.get("state", {}), receive, send)
            return
        context = RequestContext(scope, self._contract, self._default_headers)
        try:
            await self._exchange(context, receive, send)
        except httpx.RequestError as failure:
            log.warning("server does not answer", server=self._server, failure=repr(failure))
            if context.status is not None:
                raise  # the response has started: the connection is closed
            error = self._errors.to_response(Unavailable("The server does not answer the proxy"), context.request_id)
            await send_response(context, error, send)

    async def _live(self, state: dict[str, Any], receive: Receive, send: Send) -> None:
        """The lifespan (ASGI): what the HTTP server needs, and the connections, which end with it."""
        state[lifespan_state.RATE_LIMIT_HOOK] = lambda _peer: b""
        state[lifespan_state.ERROR_CATALOG] = self._errors
        state[lifespan_state.DEFAULT_HEADERS] = self._default_headers
        state[lifespan_state.MEMORY_LIMITER] = self._memory
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._client.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _exchange(self, context: RequestContext, receive: Receive, send: Send) -> None:
        context.body = await _read(receive)
        found = [Found("request", violation) for violation in self._check.request(context)]
        response = await self._client.send(self._request(context), stream=True)
        try:
            headers = [(name.lower(), value) for name, value in response.headers.raw]
            headers = [(name, value) for name, value in headers if name not in _PER_CONNECTION]
            body = await _whole(response) if is_json(_essence(response)) else None
            if context.operation is not None:
                seen = None if context.method == "HEAD" else _decoded(response, headers, body)
                wrong = self._check.response(context.operation, response.status_code, headers, seen)
                found += [Found("response", violation) for violation in wrong]
            self._record(context, response.status_code, found)
            context.status = response.status_code
            start = {"type": "http.response.start", "status": response.status_code}
            await send({**start, "headers": [*headers, *_listed(found)]})
            async for piece in response.aiter_raw() if body is None else _one(body):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await response.aclose()

    def _request(self, context: RequestContext) -> httpx.Request:
        query = context.scope["query_string"]
        target = context.path + (b"?" + query if query else b"")
        url = httpx.URL(self._server)
        url = url.copy_with(raw_path=url.raw_path.rstrip(b"/") + target)
        headers = [(name, value) for name, value in context.scope["headers"] if name not in _PER_CONNECTION]
        return httpx.Request(context.method, url, headers=headers, content=context.body or None)

    def _record(self, context: RequestContext, status: int, found: Sequence[Found]) -> None:
        if context.operation is None and context.path.startswith(self._pages):
            return
        operation_id = None if context.operation is None else context.operation.id
        self.report.add(operation_id, found)
        for place, violation in found:
            fields = {"method": context.method, "operation": operation_id, "status": status, "in": place}
            log.warning("contract violation", **fields, **violation._asdict())


async def _read(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _whole(response: httpx.Response) -> bytes:
    return b"".join([piece async for piece in response.aiter_raw()])


async def _one(piece: bytes) -> AsyncIterator[bytes]:
    yield piece


def _essence(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def _decoded(response: httpx.Response, headers: Headers, body: bytes | None) -> bytes | None:
    """The body without its content coding; None if it cannot be decoded or was not read."""
    if body is None:
        return None
    try:
        return httpx.Response(response.status_code, headers=headers, content=body).content
    except httpx.DecodingError:
        return None


def _listed(found: Sequence[Found]) -> list[tuple[bytes, bytes]]:
    """The header that lists the violations, in ASCII; none if there is nothing to list."""
    if not found:
        return []
    texts = [f"{place} {violation.pointer or '/'} {violation.code}" for place, violation in found]
    more = [f"{len(texts) - MAX_LISTED} more"] if len(texts) > MAX_LISTED else []
    text = ", ".join([*texts[:MAX_LISTED], *more])
    return [(VIOLATIONS_HEADER, text.encode("ascii", "backslashreplace"))]
