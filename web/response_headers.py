"""Response headers: adds them, sends each response, and adds it to the access log.

The default headers, then rate-limit and deprecation headers. Decision 43.
"""

from __future__ import annotations

import time

from web.asgi import Send
from web.context import RequestContext
from web.http import server_timing
from web.responses import SINGLE_MESSAGE, Response, SerializedResponse
from web.telemetry.access_log import access_log
from web.telemetry.tracing import TRACE


async def send_response(context: RequestContext, response: Response, send: Send) -> None:
    """Sends a response, without content if the method is HEAD (RFC 9110 section 9.3.2).

    Of a streamed body only the start is sent; web.http.streaming sends the rest.
    """
    operation, extra = context.operation, context.rate_limit_headers
    if operation is not None:
        extra += operation.deprecation_headers
    added = _added_headers(context, response)
    if added:
        response = response._replace(headers=response.headers | added)
    head = context.default_headers.encode(response, context.request_id, extra)
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


def _added_headers(context: RequestContext, response: Response) -> dict[str, str]:
    """The fields that depend on more than the response: CORS, Server-Timing, and the link of a deprecation."""
    added = context.cors_headers
    if context.send_timing:
        added = added | server_timing.headers(context, response)
    operation = context.operation
    if operation is not None and operation.deprecation_link:
        own = response.headers.get("link")
        link = f"{own}, {operation.deprecation_link}" if own else operation.deprecation_link
        added = added | {"link": link}
    return added


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
