"""Reads the request body within limits of size and time."""

from __future__ import annotations

import asyncio

from web.asgi import Receive
from web.context import RequestContext
from web.exceptions import MalformedRequest, PayloadTooLarge, RequestTimeout
from web.http.request_checks import has_body

MAX_BODY_BYTES = 1024 * 1024
_CLOSE = {"connection": "close"}


class ClientDisconnected(Exception):
    """The client disconnected before its request was complete; no response is sent."""


def check_size(context: RequestContext) -> None:
    """Raises PayloadTooLarge if Content-Length exceeds 1 MiB, MalformedRequest if it is not a number."""
    length = context.headers.get(b"content-length", b"0")
    if not length.isdigit():
        raise MalformedRequest("Content-Length is not a number", _CLOSE)
    if len(length) > 9 or int(length) > MAX_BODY_BYTES:
        raise _too_large()


async def read(context: RequestContext, receive: Receive, timeout_seconds: float) -> bytes:
    """The request body, at most 1 MiB. Raises PayloadTooLarge, RequestTimeout, ClientDisconnected."""
    if not has_body(context.headers):
        return b""
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _read_all(receive)
    except TimeoutError:
        raise RequestTimeout(f"The body did not arrive within {timeout_seconds:g} seconds", _CLOSE) from None


async def _read_all(receive: Receive) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        if size > MAX_BODY_BYTES:
            raise _too_large()
    return b"".join(parts)


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(f"The body has more than {MAX_BODY_BYTES} bytes", _CLOSE, limit=MAX_BODY_BYTES)
