"""In which room is the program right now? Samples of the stack, a thousand times a second, counted by room."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Self

from tools.bench.targets import ROOT

PERIOD_SECONDS = 0.0009
# Two functions of an operation make and check answers; the others read requests.
ANSWERING = frozenset(("answer", "flaw", "judged"))
FILES = {
    "web/application.py": "front", "web/context.py": "front", "web/http/cors.py": "front", "web/http/request_body.py": "front",
    "web/http/request_checks.py": "legality", "web/router.py": "router", "web/security/authentication.py": "auth", "web/security/jwt.py": "auth",
    "web/ratelimit/limiter.py": "limits", "web/ratelimit/counters.py": "limits", "web/ratelimit/client_address.py": "limits", "web/telemetry/stderr_writer.py": "logs",
    "web/telemetry/access_log.py": "logs", "web/telemetry/metrics.py": "logs", "web/operation_middleware.py": "lane", "web/dispatch.py": "lane",
    "web/threadpool.py": "lane", "web/number_cache.py": "logs",
    "web/contract/operations.py": "operations", "web/contract/parameters.py": "operations", "web/contract/schemas.py": "operations",
    "web/http/preconditions.py": "operations", "web/contract/links.py": "operations", "web/contract/strict_json.py": "operations",
    "web/responses.py": "answers", "web/exceptions.py": "answers", "web/telemetry/log_config.py": "logs", "web/server/protocol.py": "server",
    "web/server/cycle.py": "server", "web/server/timeouts.py": "server", "tools/bench/fake_transport.py": "server",
}  # fmt: skip
PACKAGES = {"structlog": "logs", "uvicorn": "server", "connexion": "connexion", "starlette": "connexion"}
MEANINGS = {
    "front": "request id, order of the checks, header fields of every answer, last resort",
    "legality": "legal HTTP: fields, lengths, media types",
    "router": "path to operation",
    "auth": "credential to caller, without the look-up",
    "auth: key": "the look-up of the key in the database",
    "limits": "quota (off here)",
    "lane": "the compiled lane, its threads, the handler's call",
    "operations": "the request's parameters and body, read and validated",
    "handler": "row to JSON shape",
    "models": "the collection's statement",
    "answers": "JSON, entity tag, the answer held against the contract",
    "logs": "one JSON line a request",
    "connexion": "Connexion's middlewares in front of the lane",
    "server": "HTTP: bytes to request and answer to bytes, and a task a request",
    "loop": "the event loop itself",
}


class Sampler:
    """Counts samples by room while it is entered; the main thread only, which must be the one that works."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        signal.signal(signal.SIGALRM, self._take)
        signal.setitimer(signal.ITIMER_REAL, PERIOD_SECONDS, PERIOD_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def shares(self) -> dict[str, float]:
        """The part of the time that each room took."""
        total = self.counts.total() or 1
        return {room: self.counts[room] / total for room in MEANINGS}

    def _take(self, _number: int, frame: FrameType | None) -> None:
        self.counts[_room(frame)] += 1


def _room(frame: FrameType | None) -> str:
    """The innermost room on the stack; a library's time is that of the room which called it."""
    while frame is not None:
        room = _of(frame)
        if room == "models":
            return "auth: key" if _is_below(frame, "web/security/authentication.py") else room
        if room is not None:
            return room
        frame = frame.f_back
    return "loop"


def _of(frame: FrameType) -> str | None:
    file = frame.f_code.co_filename
    if "site-packages/" in file:
        return PACKAGES.get(file.partition("site-packages/")[2].partition("/")[0])
    if not file.startswith(f"{ROOT}/"):
        return None
    short = str(Path(file).relative_to(ROOT))
    if short == "web/contract/operations.py" and frame.f_code.co_name in ANSWERING:
        return "answers"
    return {"models": "models", "handlers": "handler"}.get(short.partition("/")[0]) or FILES.get(short)


def _is_below(frame: FrameType | None, file: str) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == f"{ROOT}/{file}":
            return True
        frame = frame.f_back
    return False
