"""Response headers: builds them, sends each response, and adds it to the access log.

The default headers, then rate-limit and deprecation headers. Decision 43.
"""

from __future__ import annotations

import time

from web.asgi import Send
from web.context import RequestContext
from web.http import server_timing
from web.number_cache import FormattedNumbers
from web.responses import SINGLE_MESSAGE, Response, SerializedResponse, encode_headers
from web.telemetry.access_log import access_log
from web.telemetry.tracing import TRACE

DEFAULT_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "vary": "Accept, Authorization, Origin, X-API-Key",
}
_FIXED, _NAMES = encode_headers(DEFAULT_HEADERS), frozenset(DEFAULT_HEADERS)
_LENGTH = FormattedNumbers(b"content-length: %d\r\n".__mod__)


async def send_response(context: RequestContext, response: Response, send: Send) -> None:
    """Sends a response, without content if the method is HEAD (RFC 9110 section 9.3.2).

    Of a streamed body only the start is sent; web.http.streaming sends the rest.
    """
    extra = dict(context.cors_headers)
    if context.send_timing:
        extra |= server_timing.headers(context, response)
    operation = context.operation
    if operation is not None and operation.deprecation_link:
        own = response.headers.get("link")
        extra["link"] = f"{own}, {operation.deprecation_link}" if own else operation.deprecation_link
    if extra:
        response = response._replace(headers=response.headers | extra)
    head = build_headers(response, context.request_id, _extra_headers(context))
    context.status = response.status
    content = b"" if context.method == "HEAD" else response.body
    if response.pieces is None and SINGLE_MESSAGE in context.scope.get("extensions", ()):
        serialized = SerializedResponse(head, content, "connection" in response.headers)
        await send({"type": "http.response.start", "status": response.status, SINGLE_MESSAGE: serialized})
        return
    fields = [tuple(line.split(b": ", 1)) for line in head.splitlines()]
    await send({"type": "http.response.start", "status": response.status, "headers": fields})
    if response.pieces is None or context.method == "HEAD":
        await send({"type": "http.response.body", "body": content})


def build_headers(response: Response, request_id: str, extra: bytes) -> bytes:
    """The encoded headers of a response: defaults, the response's own, which override them, and `extra` lines."""
    own, fixed = response.headers, _FIXED
    if not _NAMES.isdisjoint(own):
        fixed = encode_headers({name: value for name, value in DEFAULT_HEADERS.items() if name not in own})
    size = len(response.body) if response.pieces is None else response.length
    length = b"" if size is None or response.status in (204, 304) else _LENGTH[size]
    return b"".join((fixed, encode_headers(own), b"x-request-id: ", request_id.encode(), b"\r\n", extra, length))


def _extra_headers(context: RequestContext) -> bytes:
    """Rate-limit and deprecation headers."""
    operation = context.operation
    return context.rate_limit_headers + (b"" if operation is None else operation.deprecation_headers)


def record_request(context: RequestContext, status: int) -> None:
    """Adds the request to the access log and the metrics."""
    operation, caller = context.operation, context.caller
    seconds = time.perf_counter() - context.started
    access_log.add(
        (
            context.request_id,
            context.method,
            None if operation is None else operation.id,
            status,
            seconds,
            None if caller is None else caller.key_id,
            context.scope.get(TRACE),
            context.arrived + seconds,
        )
    )
