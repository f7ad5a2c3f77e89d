"""HTTP server with faulty responses; the organization in the path selects the fault."""

from __future__ import annotations

import contextlib
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
LONG_SECONDS = 30
# Another name of the host, and so another origin.
ELSEWHERE = "localhost"


class RecordedRequest(NamedTuple):
    """One received request; `early` if it came before the Retry-After of the previous response had passed.

    `host` is the name by which the client has found the server, and `credential` is the API key that it sent.
    """

    method: str
    key: str | None
    agent: str
    early: bool
    host: str
    credential: str | None


class CannedResponse(NamedTuple):
    """A response; `length` is added to the real Content-Length, None closes the connection without a response.

    With `pause` the body comes in pieces of a tenth, and so many seconds pass before each.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = {}
    length: int | None = 0
    pause: float = 0


class MisbehavingServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self.requests: list[RecordedRequest] = []
        self.closing = Event()
        self.not_before = 0.0

    def reset(self) -> None:
        """Clears the recorded requests, for the next client."""
        self.requests, self.not_before = [], 0.0

    def record(self, method: str, headers: Message) -> int:
        """Records a request and returns the number of earlier ones."""
        early = time.monotonic() < self.not_before
        named = headers.get("Idempotency-Key"), headers.get("User-Agent", "")
        host, credential = headers.get("Host", "").partition(":")[0], headers.get("X-API-Key")
        self.requests.append(RecordedRequest(method, *named, early, host, credential))
        return len(self.requests) - 1

    def shutdown(self) -> None:
        self.closing.set()
        super().shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: MisbehavingServer

    def _respond(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        before = self.server.record(self.command, self.headers)
        response = FAULTS[self.path.split("/")[3]](self, before)
        self.close_connection = response.length != 0
        if response.length is None:
            return
        # Set before the response is sent: afterwards the next request may already be here.
        self.server.not_before = time.monotonic() + float(response.headers.get("Retry-After", 0))
        self.send_response(response.status)
        for name, value in {"Content-Type": "application/json", **response.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body) + response.length))
        self.end_headers()
        with contextlib.suppress(OSError):  # a client that has waited long enough is gone
            self._write(response)

    def _write(self, response: CannedResponse) -> None:
        size = max(len(response.body), 1) if not response.pause else len(response.body) // 10 + 1
        for start in range(0, len(response.body), size):
            self.server.closing.wait(response.pause)
            self.wfile.write(response.body[start : start + size])
        if response.pause and response.length:
            self.server.closing.wait(LONG_SECONDS)

    do_GET = do_POST = do_PATCH = do_DELETE = _respond

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class calls it so
        """No log: the requests are recorded in `requests`."""


def _example(name: str) -> dict[str, Any]:
    value: dict[str, Any] = contract.document()["components"]["examples"][name]["value"]
    return value


def _error(name: str, headers: Mapping[str, str] = {}, **news: str) -> CannedResponse:
    whole = _example(name)
    return CannedResponse(whole["error"]["status"], _json(whole | {"error": whole["error"] | news}), headers)


def _resolved_share() -> dict[str, Any]:
    operation = contract.document()["paths"]["/music/shared/{token}"]["get"]
    value: dict[str, Any] = operation["responses"]["200"]["content"]["application/json"]["example"]
    return value


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _fine(handler: _Handler, **fields: object) -> CannedResponse:
    return CannedResponse(201 if handler.command == "POST" else 200, _json(_example("FocusSessions") | fields))


def _first(fault: CannedResponse) -> Callable[[_Handler, int], CannedResponse]:
    return lambda handler, before: _fine(handler) if before else fault


def _elsewhere(status: int, found: object = None) -> Callable[[_Handler, int], CannedResponse]:
    """Leads to another host, on which there is everything."""

    def respond(handler: _Handler, before: int) -> CannedResponse:
        if handler.headers.get("Host", "").startswith(ELSEWHERE):
            return CannedResponse(200, _json(found or _example("FocusSessions")))
        place = f"http://{ELSEWHERE}:{handler.server.server_address[1]}{handler.path}"
        return CannedResponse(status, b"", {"Location": place})

    return respond


def _slow(handler: _Handler, before: int) -> CannedResponse:
    handler.server.closing.wait(LONG_SECONDS)
    return CannedResponse(200, b"", length=None)


SOON = {"Retry-After": str(WAIT_SECONDS)}
SPENT = {"Link": '</docs/api-reference/music/errors#spend_limit_exceeded>; rel="help"'}
NULLS: dict[str, object] = dict.fromkeys(("description", "cover_track_id", "cover_image_url", "track_count"))
FAULTS: dict[str, Callable[[_Handler, int], CannedResponse]] = {
    "org_news": lambda handler, before: _error("CollectionFull", code="COLLECTION_LOCKED", type="lock_error"),
    "org_extra": lambda handler, before: _fine(handler, colour="blue", moods=[{"name": "calm"}]),
    "org_nulls": lambda handler, before: _fine(handler, **NULLS),
    "org_busy": _first(_error("RateLimitExceeded", SOON)),
    "org_down": _first(_error("ServiceUnavailable", SOON)),
    "org_running": _first(_error("IdempotencyKeyInUse", SOON)),
    "org_reset": _first(CannedResponse(0, b"", length=None)),
    "org_dead": lambda handler, before: _error("ServiceUnavailable"),
    "org_later": lambda handler, before: _error("RateLimitExceeded", {"Retry-After": str(TOO_LONG_SECONDS)}),
    "org_spent": lambda handler, before: _error("SpendLimitExceeded", SOON | SPENT),
    "org_gateway": lambda handler, before: CannedResponse(502, HTML, {"Content-Type": "text/html"}),
    "org_cut": lambda handler, before: CannedResponse(200, _json(_example("FocusSessions"))[:40], length=200),
    "org_half": lambda handler, before: CannedResponse(200, _json(_example("FocusSessions"))[:40]),
    "org_moved": _elsewhere(302),
    "org_kept": _elsewhere(307),
    "shared": _elsewhere(303, _resolved_share()),
    "org_slow": _slow,
    "org_trickle": lambda handler, before: _fine(handler)._replace(pause=0.4),
    "org_stalled": lambda handler, before: _fine(handler)._replace(pause=0.01, length=20),
    "org_wrong": lambda handler, before: _fine(handler, name=7),
    "org_unreachable": lambda handler, before: CannedResponse(0, b"", length=None),
}
