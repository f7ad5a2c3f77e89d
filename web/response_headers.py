"""The last form of every answer: the header fields that none may lack, and what is told of the request."""

from __future__ import annotations

from web.asgi import Send
from web.context import RequestContext
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


async def send_response(context: RequestContext, response: Response, cross_origin: dict[str, str], send: Send) -> None:
    """Sends the answer; to HEAD without its content (RFC 9110 section 9.3.2)."""
    if cross_origin:
        response = response._replace(headers=response.headers | cross_origin)
    head = build_headers(response, context.request_id, _extra_headers(context))
    content = b"" if context.method == "HEAD" else response.body
    if SINGLE_MESSAGE in context.scope.get("extensions", ()):
        whole = SerializedResponse(head, content, "connection" in response.headers)
        await send({"type": "http.response.start", "status": response.status, SINGLE_MESSAGE: whole})
        return
    fields = [tuple(line.split(b": ", 1)) for line in head.splitlines()]
    await send({"type": "http.response.start", "status": response.status, "headers": fields})
    await send({"type": "http.response.body", "body": content})


def build_headers(response: Response, request_id: str, further: bytes) -> bytes:
    """The lines of an answer's header: the fixed fields, its own, which win, and what else there is to say."""
    own, fixed = response.headers, _FIXED
    if not _NAMES.isdisjoint(own):
        fixed = encode_headers({name: value for name, value in DEFAULT_HEADERS.items() if name not in own})
    length = b"" if response.status in (204, 304) else _LENGTH[len(response.body)]
    return b"".join((fixed, encode_headers(own), b"x-request-id: ", request_id.encode(), b"\r\n", further, length))


def _extra_headers(context: RequestContext) -> bytes:
    """Lines on what is left of a quota, and on an operation that goes away."""
    found = b""
    if context.quota_state is not None:
        quota, window = context.quota_state
        found = quota.headers(window)
    return found if context.found is None else found + context.found.deprecation_headers


def record_request(context: RequestContext, status: int, seconds: float) -> None:
    """What the log and the metrics are told of the request; its id is the one that the client got."""
    found, caller = context.found, context.caller
    access_log.add(
        (
            context.request_id,
            context.method,
            None if found is None else found.id,
            status,
            seconds,
            None if caller is None else caller.key_id,
            context.scope.get(TRACE),
            context.arrived + seconds,
        )
    )
