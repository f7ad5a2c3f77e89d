"""The last form of every answer: the header fields that none may lack, and what is told of the request."""

from __future__ import annotations

from web.asgi import Send
from web.context import Exchange
from web.number_cache import Written
from web.responses import WHOLE, Answer, Whole, lines
from web.telemetry.access_log import requests
from web.telemetry.tracing import TRACE

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "vary": "Accept, Authorization, Origin, X-API-Key",
}
_FIXED, _NAMES = lines(EVERYWHERE), frozenset(EVERYWHERE)
_LENGTH = Written(b"content-length: %d\r\n".__mod__)


async def send(exchange: Exchange, answer: Answer, cross_origin: dict[str, str], send: Send) -> None:
    """Sends the answer; to HEAD without its content (RFC 9110 section 9.3.2)."""
    if cross_origin:
        answer = answer._replace(headers=answer.headers | cross_origin)
    head = header(answer, exchange.request_id, _further(exchange))
    content = b"" if exchange.method == "HEAD" else answer.body
    if WHOLE in exchange.scope.get("extensions", ()):
        whole = Whole(head, content, "connection" in answer.headers)
        await send({"type": "http.response.start", "status": answer.status, WHOLE: whole})
        return
    fields = [tuple(line.split(b": ", 1)) for line in head.splitlines()]
    await send({"type": "http.response.start", "status": answer.status, "headers": fields})
    await send({"type": "http.response.body", "body": content})


def header(answer: Answer, request_id: str, further: bytes) -> bytes:
    """The lines of an answer's header: the fixed fields, its own, which win, and what else there is to say."""
    own, fixed = answer.headers, _FIXED
    if not _NAMES.isdisjoint(own):
        fixed = lines({name: value for name, value in EVERYWHERE.items() if name not in own})
    length = b"" if answer.status in (204, 304) else _LENGTH[len(answer.body)]
    return b"".join((fixed, lines(own), b"x-request-id: ", request_id.encode(), b"\r\n", further, length))


def _further(exchange: Exchange) -> bytes:
    """Lines on what is left of a quota, and on an operation that goes away."""
    found = b""
    if exchange.allowance is not None:
        quota, window = exchange.allowance
        found = quota.lines(window)
    return found if exchange.found is None else found + exchange.found.farewell


def tell(exchange: Exchange, status: int, seconds: float) -> None:
    """What the log and the metrics are told of the request; its id is the one that the client got."""
    found, caller = exchange.found, exchange.caller
    requests.gather(
        (
            exchange.request_id,
            exchange.method,
            None if found is None else found.id,
            status,
            seconds,
            None if caller is None else caller.key_id,
            exchange.scope.get(TRACE),
            exchange.arrived + seconds,
        )
    )
