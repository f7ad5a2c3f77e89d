"""One request and what is known of it so far; every room of the edge adds its part."""

from __future__ import annotations

import random
import re
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from web.telemetry import log_config

if TYPE_CHECKING:
    from models.access import Caller
    from web.asgi import Scope
    from web.contract.operations import Operation
    from web.ratelimit.limiter import QuotaState
    from web.responses import Response

_CLIENT_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")


class RequestContext:
    """A request on its way to an answer.

    `started` are seconds of the clock that durations are taken from, `arrived` is Unix time; `arguments` are the
    handler's, filled in by validation; `body` are the bytes as they came.
    """

    __slots__ = (
        "answer",
        "arguments",
        "arrived",
        "body",
        "caller",
        "found",
        "headers",
        "method",
        "operation",
        "path",
        "path_values",
        "quota_state",
        "request_id",
        "scope",
        "started",
        "violations",
    )  # fmt: skip
    operation: Operation
    """What was found; there is none before the request was routed."""

    def __init__(self, scope: Scope) -> None:
        self.started = time.perf_counter()
        self.arrived = time.time()
        self.scope = scope
        self.method: str = scope["method"]
        self.path: bytes = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = _request_id(self.headers.get(b"x-request-id"))
        self.found: Operation | None = None
        self.path_values: dict[str, str] = {}
        self.caller: Caller | None = None
        self.quota_state: QuotaState | None = None
        self.body = b""
        self.arguments: dict[str, Any] = {}
        self.violations: list[Any] = []
        self.answer: Response | None = None


current_request: ContextVar[RequestContext] = ContextVar("exchange")


def new_request_id() -> str:
    """An id for one request: nobody has to be kept from guessing it, so any good random number will do."""
    return "req_" + random.getrandbits(64).to_bytes(8, "big").hex()


def _request_id(theirs: bytes | None) -> str:
    """The client's own id where it has the allowed form and is no secret, else a new one; all begin with `req_`."""
    if theirs is None or not _CLIENT_ID.fullmatch(theirs):
        return new_request_id()
    text = theirs.decode("ascii")
    if log_config.redact(text) != text:
        return new_request_id()
    return text if text.startswith("req_") else "req_" + text
