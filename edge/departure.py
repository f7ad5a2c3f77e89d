"""The last form of every answer: the header fields that none may lack, and what is told of the request."""

from __future__ import annotations

import time
from functools import lru_cache

from edge import limits
from edge.answers import Answer
from edge.asgi import Send
from edge.cycle import LENGTH
from edge.exchange import Exchange
from edge.told import requests
from edge.tracing import TRACE

Field = tuple[bytes, bytes]
EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "vary": "Accept, Authorization, Origin, X-API-Key",
}
_FIXED = [(name.encode(), value.encode()) for name, value in EVERYWHERE.items()]


async def send(exchange: Exchange, answer: Answer, cross_origin: dict[str, str], send: Send) -> None:
    """Sends the answer; to HEAD without its content (RFC 9110 section 9.3.2)."""
    fields = _fields(answer.headers | cross_origin if cross_origin else answer.headers)
    fields.append((b"x-request-id", exchange.request_id.encode()))
    if exchange.allowance is not None:
        fields += limits.fields(exchange.allowance)
    if exchange.found is not None and exchange.found.farewell:
        fields += exchange.found.farewell
    if answer.status not in (204, 304):
        fields.append((b"content-length", b"%d" % len(answer.body)))
    length = 0 if exchange.method == "HEAD" else len(answer.body)
    await send({"type": "http.response.start", "status": answer.status, "headers": fields, LENGTH: length})
    await send({"type": "http.response.body", "body": b"" if exchange.method == "HEAD" else answer.body})


def _fields(own: dict[str, str]) -> list[Field]:
    """The fixed fields and the answer's own, which win."""
    fixed = _FIXED if EVERYWHERE.keys().isdisjoint(own) else [f for f in _FIXED if f[0].decode() not in own]
    return fixed + [(_name(name), value.encode("latin-1")) for name, value in own.items()]


@lru_cache(256)
def _name(name: str) -> bytes:
    return name.encode("latin-1")


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
            time.time(),
        )
    )
