"""Request context: one request and everything known about it so far, in a context variable."""

from __future__ import annotations

import random
import re
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from web.redaction import redact

if TYPE_CHECKING:
    from models.access import Caller
    from models.focus_sessions import Seen
    from web.asgi import Scope
    from web.contract.operations import Operation
    from web.contract.views import Contract
    from web.default_headers import DefaultHeaders
    from web.exceptions import Violation
    from web.generation_settings import GenerationSettings

_CLIENT_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")


class RequestContext:
    """The state of one request.

    `started` is in seconds of time.perf_counter(), `arrived` in Unix seconds. `operation` is None until the request is
    routed, `caller` until it is authenticated, `status` until the response is sent. `arguments` are the handler's,
    `body` is the raw request body, `rate_limit_headers` are encoded header lines, `generation`, `playback` and
    `sharing` are the application's. `resolved` is the share link that was resolved, by organization and id. `seen` is a
    sign of life that is written later.
    """

    generation: GenerationSettings

    __slots__ = (
        "arguments", "arrived", "body", "caller", "contract", "cors_headers", "default_headers", "generation",
        "headers", "method", "operation", "path", "path_values", "playback", "rate_limit_headers", "request_id",
        "resolved", "scope", "seen", "send_timing", "sharing", "started", "status", "violations",
    )  # fmt: skip

    def __init__(self, scope: Scope, contract: Contract, default_headers: DefaultHeaders) -> None:
        self.started = time.perf_counter()
        self.arrived = time.time()
        self.scope = scope
        self.contract = contract
        self.default_headers = default_headers
        self.method: str = scope["method"]
        self.path: bytes = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = _request_id(self.headers.get(b"x-request-id"))
        self.operation: Operation | None = None
        self.path_values: dict[str, str] = {}
        self.caller: Caller | None = None
        self.rate_limit_headers = b""
        self.cors_headers: dict[str, str] = {}
        self.send_timing = False
        self.body = b""
        self.arguments: dict[str, Any] = {}
        self.violations: list[Violation] = []
        self.status: int | None = None
        self.playback: object = None
        self.sharing: object = None
        self.resolved: tuple[str, str] | None = None
        self.seen: Seen | None = None


current_request: ContextVar[RequestContext] = ContextVar("current_request")


def request_origin(context: RequestContext) -> str:
    """Scheme and host of the request."""
    scope = context.scope
    host = context.headers.get(b"host", b"").decode("latin-1")
    return f"{scope['scheme']}://{host or ':'.join(map(str, scope['server']))}"


def new_request_id() -> str:
    """A new request id: `req_` and 16 hexadecimal digits. It is no secret, so `random` is good enough."""
    return "req_" + random.getrandbits(64).to_bytes(8, "big").hex()


def _request_id(client_id: bytes | None) -> str:
    """The client's X-Request-ID if it is valid and contains no secret, else a new id; each begins with `req_`.

    Decision 18.
    """
    if client_id is None or not _CLIENT_ID.fullmatch(client_id):
        return new_request_id()
    text = client_id.decode("ascii")
    if redact(text) != text:
        return new_request_id()
    return text if text.startswith("req_") else "req_" + text
