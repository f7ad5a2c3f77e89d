"""The last form of every answer: the header fields that none may lack, and the one log line."""

from __future__ import annotations

import structlog

from edge.answers import Answer
from edge.asgi import Send
from edge.exchange import Exchange

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "vary": "Accept, Authorization, Origin, X-API-Key",
}
_FIXED = [(name.encode(), value.encode()) for name, value in EVERYWHERE.items()]
log = structlog.get_logger("edge.departure")


async def send(exchange: Exchange, answer: Answer, cross_origin: dict[str, str], send: Send) -> None:
    """Sends the answer; to HEAD without its content (RFC 9110 section 9.3.2)."""
    own = answer.headers | cross_origin | {"x-request-id": exchange.request_id}
    if exchange.allowance is not None:
        own |= exchange.allowance.headers()
    if answer.status not in (204, 304):
        own["content-length"] = str(len(answer.body))
    await send({"type": "http.response.start", "status": answer.status, "headers": _fields(own)})
    await send({"type": "http.response.body", "body": b"" if exchange.method == "HEAD" else answer.body})


def _fields(own: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """The fixed fields and the answer's own, which win."""
    fixed = _FIXED if EVERYWHERE.keys().isdisjoint(own) else [f for f in _FIXED if f[0].decode() not in own]
    return fixed + [(name.encode("latin-1"), value.encode("latin-1")) for name, value in own.items()]


def tell(exchange: Exchange, status: int, seconds: float) -> None:
    """The log line of the request; its id is the one that the client got."""
    log.info(
        "request",
        trace_id=exchange.request_id,
        method=exchange.method,
        operation=exchange.found.id if exchange.found else None,
        status=status,
        ms=round(seconds * 1000, 3),
        key_id=exchange.caller.key_id if exchange.caller else None,
    )
