"""A server that answers as a real one might on its worst day; the organization in the path says how."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any, NamedTuple

from web.contract import document as contract

HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
WAIT_SECONDS = 1
TOO_LONG_SECONDS = 3600


class Asked(NamedTuple):
    """One request as it came in; `early` when it came sooner than the answer before had allowed."""

    method: str
    key: str | None
    agent: str
    early: bool


class Answer(NamedTuple):
    """What is sent: `length` is what the header claims, and None breaks the connection without a word."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}
    length: int | None = 0


class Nasty(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self.asked: list[Asked] = []
        self.closing = Event()
        self.not_before = 0.0

    def forget(self) -> None:
        """Starts anew, as for a client that was never seen."""
        self.asked, self.not_before = [], 0.0

    def record(self, method: str, headers: Message) -> int:
        """Remembers a request and returns how many came before it."""
        early = time.monotonic() < self.not_before
        self.asked.append(Asked(method, headers.get("Idempotency-Key"), headers.get("User-Agent", ""), early))
        return len(self.asked) - 1

    def shutdown(self) -> None:
        self.closing.set()
        super().shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Nasty

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        before = self.server.record(self.command, self.headers)
        answer = MOODS[self.path.split("/")[3]](self, before)
        self.close_connection = answer.length != 0
        if answer.length is None:
            return
        # Before the answer is out: behind it, this could already be about somebody else's next request.
        self.server.not_before = time.monotonic() + float(answer.headers.get("Retry-After", 0))
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) + answer.length))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PATCH = _answer

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class calls it so
        """Says nothing: the record is in `asked`."""


def _example(name: str) -> dict[str, Any]:
    value: dict[str, Any] = contract.document()["components"]["examples"][name]["value"]
    return value


def _error(name: str, headers: Mapping[str, str] = {}, **news: str) -> Answer:
    whole = _example(name)
    return Answer(whole["error"]["status"], _json(whole | {"error": whole["error"] | news}), headers)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _fine(handler: _Handler, **fields: object) -> Answer:
    return Answer(201 if handler.command == "POST" else 200, _json(_example("FocusSessions") | fields))


def _first(trouble: Answer) -> Callable[[_Handler, int], Answer]:
    return lambda handler, before: _fine(handler) if before else trouble


def _slow(handler: _Handler, before: int) -> Answer:
    handler.server.closing.wait(30)
    return Answer(200, b"", length=None)


SOON = {"Retry-After": str(WAIT_SECONDS)}
NULLS: dict[str, object] = dict.fromkeys(("description", "cover_track_id", "cover_image_url", "track_count"))
MOODS: dict[str, Callable[[_Handler, int], Answer]] = {
    "org_news": lambda handler, before: _error("CollectionFull", code="COLLECTION_LOCKED", type="lock_error"),
    "org_extra": lambda handler, before: _fine(handler, colour="blue", moods=[{"name": "calm"}]),
    "org_nulls": lambda handler, before: _fine(handler, **NULLS),
    "org_busy": _first(_error("RateLimitExceeded", SOON)),
    "org_down": _first(_error("ServiceUnavailable", SOON)),
    "org_running": _first(_error("IdempotencyKeyInUse", SOON)),
    "org_reset": _first(Answer(0, b"", length=None)),
    "org_dead": lambda handler, before: _error("ServiceUnavailable"),
    "org_later": lambda handler, before: _error("RateLimitExceeded", {"Retry-After": str(TOO_LONG_SECONDS)}),
    "org_gateway": lambda handler, before: Answer(502, HTML, {"Content-Type": "text/html"}),
    "org_cut": lambda handler, before: Answer(200, _json(_example("FocusSessions"))[:40], length=200),
    "org_half": lambda handler, before: Answer(200, _json(_example("FocusSessions"))[:40]),
    "org_slow": _slow,
}
