"""The request context: one request and what is known of it so far."""

from __future__ import annotations

import random
import re
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from web.redaction import redact

if TYPE_CHECKING:
    from models.access import Caller
    from web.asgi import Scope
    from web.contract.document import Contract
    from web.contract.operations import Operation
    from web.exceptions import Violation

_CLIENT_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")


class RequestContext:
    """A request on its way to a response.

    `started` are seconds of the clock that durations are measured with, `arrived` is Unix time. `operation` is None
    until the request is routed, `caller` until it is authenticated, `status` until the response is sent. `arguments`
    are the handler's, `body` the bytes as they came, `rate_limit_headers` lines that are ready to be sent.
    """

    __slots__ = (
        "arguments", "arrived", "body", "caller", "contract", "cors_headers", "headers", "method", "operation",
        "overloaded", "path", "path_values", "rate_limit_headers", "request_id", "scope", "send_timing", "started",
        "status", "violations",
    )  # fmt: skip

    def __init__(self, scope: Scope, contract: Contract) -> None:
        self.started = time.perf_counter()
        self.arrived = time.time()
        self.scope = scope
        self.contract = contract
        self.method: str = scope["method"]
        self.path: bytes = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = _request_id(self.headers.get(b"x-request-id"))
        self.operation: Operation | None = None
        self.path_values: dict[str, str] = {}
        self.caller: Caller | None = None
        self.rate_limit_headers = b""
        self.cors_headers: dict[str, str] = {}
        self.overloaded = self.send_timing = False
        self.body = b""
        self.arguments: dict[str, Any] = {}
        self.violations: list[Violation] = []
        self.status: int | None = None


current_request: ContextVar[RequestContext] = ContextVar("current_request")


def new_request_id() -> str:
    """An id for one request: nobody has to be kept from guessing it, so any good random number will do."""
    return "req_" + random.getrandbits(64).to_bytes(8, "big").hex()


def _request_id(theirs: bytes | None) -> str:
    """The client's own id where it has the allowed form and is no secret, else a new one; all begin with `req_`."""
    if theirs is None or not _CLIENT_ID.fullmatch(theirs):
        return new_request_id()
    text = theirs.decode("ascii")
    if redact(text) != text:
        return new_request_id()
    return text if text.startswith("req_") else "req_" + text
