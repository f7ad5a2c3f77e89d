"""To Connexion's stack and back: what it gets to see of a request, and its messages as an Answer."""

from __future__ import annotations

from collections.abc import Iterator

from web.asgi import Message, Receive, Scope
from web.context import RequestContext
from web.responses import Response

_DROPPED = (b"transfer-encoding", b"content-length", b"content-type", b"content-encoding", b"upgrade")


def scope(context: RequestContext) -> Scope:
    """The request as Connexion should see it: HEAD as GET, the content as one piece of known length and type."""
    headers = [field for field in context.scope["headers"] if field[0] not in _DROPPED]
    if context.body:
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(context.body)).encode())]
    method = "GET" if context.method == "HEAD" else context.method
    extensions = dict(context.scope.get("extensions") or {})
    return dict(context.scope, method=method, headers=headers, extensions=extensions)


def content(context: RequestContext) -> Receive:
    """The content that was read already, as if it came now."""
    messages: Iterator[Message] = iter([{"type": "http.request", "body": context.body, "more_body": False}])

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    return receive


def answer(sent: list[Message]) -> Response:
    """What the messages of a whole response say."""
    start, *parts = sent
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    for name in ("content-length", "x-request-id"):
        headers.pop(name, None)
    return Response(start["status"], headers, b"".join(part.get("body", b"") for part in parts))
