"""`mock --proxy`: traffic with a real server is checked against the contract, and passed on as it is."""

import gzip
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

import app
from mock.accounts import SECRETS
from mock.proxy import MAX_LISTED, Proxy
from ops import demo
from settings import Settings
from tools.testing.cli_runner import Shell
from tools.testing.service import ROOT, assert_envelope
from tools.testing.thread_server import serving

KEY = {"X-API-Key": SECRETS["alice"]}
# Different in each response, or of one connection.
VARYING = {"connection", "date", "x-request-id"}
RATE_LIMIT = {
    "X-RateLimit-Limit": "100",
    "X-RateLimit-Remaining": "99",
    "X-RateLimit-Reset": "1782642660",
    "RateLimit": '"default";r=99;t=42',
    "RateLimit-Policy": '"default";q=100;w=60',
}
SHOWN = {
    "id": demo.COLLECTION,
    "name": "Focus Sessions",
    "description": None,
    "cover_track_id": None,
    "cover_image_url": None,
    "track_count": 0,
    "created_at": "2026-06-28T10:30:00Z",
    "updated_at": "2026-06-28T11:15:00Z",
}


class Answers(BaseHTTPRequestHandler):
    """Sends the response that its server was given."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, headers, body = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in {"X-Request-ID": "req_12345678", **RATE_LIMIT, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class calls it so
        """No log."""


@contextmanager
def answering(status: int, headers: dict[str, str], body: bytes) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.answer = status, headers, body  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@contextmanager
def proxying(server: str) -> Iterator[tuple[str, Proxy]]:
    proxy = app.create_proxy(Settings(), server)
    with serving(proxy) as url:
        yield url, proxy


@pytest.fixture(scope="module")
def mocked() -> Iterator[str]:
    with serving(app.create_mock(Settings())) as url:
        yield url


def _get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{url}{demo.PAGE}", headers={**KEY, **headers}, trust_env=False)


REQUESTS: tuple[tuple[str, str, dict[str, str], bytes | None], ...] = (
    ("GET", demo.PAGE, KEY, None),
    ("HEAD", demo.PAGE, KEY, None),
    ("GET", f"{demo.PAGE}/tracks?limit=2&offset=1", KEY, None),
    ("GET", demo.PAGE, {}, None),
    ("GET", f"/v1/music/{demo.ORGANIZATION}/collections?limit=0", KEY, None),
    ("GET", "/v1/music/org_abc123/collections/%7e%2F?%20=%41", KEY, None),
    ("POST", f"/v1/music/{demo.ORGANIZATION}/collections", KEY | {"Content-Type": "application/json"}, b'{"name": 1}'),
    ("POST", f"/v1/music/{demo.ORGANIZATION}/collections", KEY | {"Content-Type": "text/plain"}, b"name"),
    ("PATCH", demo.PAGE, KEY | {"Content-Type": "application/json", "If-Match": '"0"'}, b'{"name": "A"}'),
    ("OPTIONS", demo.PAGE, {"Origin": "http://a.example", "Access-Control-Request-Method": "GET"}, None),
    ("GET", "/v1/nothing", KEY, None),
    ("GET", "/docs", {}, None),
    ("GET", "/v1/openapi.json", {}, None),
)


@pytest.mark.parametrize(("method", "path", "headers", "body"), REQUESTS)
def test_a_proxy_changes_no_response(
    mocked: str, method: str, path: str, headers: dict[str, str], body: bytes | None
) -> None:
    with proxying(mocked) as (url, _):
        direct, passed = (
            httpx.request(method, f"{server}{path}", headers=headers, content=body, trust_env=False)
            for server in (mocked, url)
        )
    assert passed.status_code == direct.status_code
    own = {"contract-violations"}
    assert _comparable(passed, own) == _comparable(direct)
    assert _body(passed) == _body(direct)


def _comparable(response: httpx.Response, own: set[str] = frozenset()) -> list[tuple[str, str]]:  # type: ignore[assignment]
    left = VARYING | own | {name for name in response.headers if "ratelimit" in name}
    return sorted((name, value) for name, value in response.headers.multi_items() if name not in left)


def _body(response: httpx.Response) -> bytes:
    return re.sub(rb'"(trace_id|timestamp)":"[^"]*"', b"", response.content)


def test_traffic_that_keeps_the_contract_has_no_violations(mocked: str) -> None:
    with proxying(mocked) as (url, proxy), httpx.Client(base_url=url, headers=KEY, trust_env=False) as client:
        collections = f"/v1/music/{demo.ORGANIZATION}/collections"
        made = client.post(collections, json={"name": "Mine"}, headers={"Idempotency-Key": "one"})
        again = client.post(collections, json={"name": "Mine"}, headers={"Idempotency-Key": "one"})
        place, tag = made.headers["Location"], client.get(made.headers["Location"]).headers["ETag"]
        assert client.get(place, headers={"If-None-Match": tag}).status_code == 304
        patched = client.patch(place, json={"description": None}, headers={"If-Match": tag})
        track = client.get(f"/v1/music/{demo.ORGANIZATION}/tracks/{demo.TRACKS[0].track_id}").json()
        played = client.get(track["playback_url"].replace(mocked, url), headers={"Range": "bytes=0-3"})
        assert (played.status_code, played.content) == (206, b"RIFF")
        gone = [client.delete(place), client.get(place)]
        assert [r.status_code for r in (made, again, patched, *gone)] == [201, 201, 200, 200, 404]
        found = [r.headers.get("Contract-Violations") for r in (made, again, patched, played, *gone)]
        assert found == [None] * len(found)
        assert client.get("/docs").status_code == 200
    facts = proxy.report.facts()
    assert (facts["server"], facts["requests"], facts["violations"]) == (mocked, 9, [])
    counts = {row["operation"]: row["requests"] for row in facts["operations"]}
    assert counts == {
        "create_collection": 2,
        "delete_collection": 1,
        "get_audio": 1,
        "get_collection": 3,
        "get_track": 1,
        "update_collection": 1,
    }


@pytest.mark.parametrize(
    ("method", "path", "options", "found"),
    [
        ("GET", "/collections?limit=0&colour=red", {}, ["query/colour additionalProperties", "query/limit minimum"]),
        ("POST", "/collections", {"json": {"nam": 1}}, ["/nam additionalProperties", "/name required"]),
        ("POST", "/collections", {"content": b"{"}, ["/ UNSUPPORTED_MEDIA_TYPE"]),
        ("GET", "/collections", {"headers": {"X-API-Key": ""}}, []),
        ("GET", "/nothing", {}, ["/ ENDPOINT_NOT_FOUND"]),
        ("PUT", "/collections", {}, ["/ METHOD_NOT_ALLOWED"]),
    ],
)
def test_violations_of_a_request_are_named(
    mocked: str, method: str, path: str, options: dict[str, Any], found: list[str]
) -> None:
    with proxying(mocked) as (url, proxy):
        place = f"{url}/v1/music/{demo.ORGANIZATION}{path}"
        response = httpx.request(method, place, trust_env=False, **{"headers": KEY, **options})
    listed = response.headers.get("Contract-Violations")
    assert listed == (", ".join(f"request {one}" for one in found) or None)
    assert [f"{row['pointer'] or '/'} {row['code']}" for row in proxy.report.violations()] == found


def test_a_request_without_a_credential_is_a_violation(mocked: str) -> None:
    with proxying(mocked) as (url, _):
        response = httpx.get(f"{url}{demo.PAGE}", trust_env=False)
    assert_envelope(response, "AUTHENTICATION_REQUIRED")
    assert response.headers["Contract-Violations"] == "request / security"


JSON = {"Content-Type": "application/json", "ETag": '"1"'}


@pytest.mark.parametrize(
    ("status", "headers", "body", "found"),
    [
        (200, JSON, SHOWN, None),
        (200, {"Content-Type": "application/json; charset=utf-8", "ETag": '"1"'}, SHOWN, None),
        (200, JSON | {"X-Powered-By": "another server"}, SHOWN, None),
        (200, JSON, SHOWN | {"colour": "red"}, "response /colour additionalProperties"),
        (200, JSON, SHOWN | {"track_count": -1}, "response /track_count minimum"),
        (200, JSON, {name: value for name, value in SHOWN.items() if name != "name"}, "response /name required"),
        (202, JSON, SHOWN, "response / status"),
        (200, JSON | {"ETag": "1"}, SHOWN, "response header/ETag pattern"),
        (200, JSON | {"X-Request-ID": "1"}, SHOWN, "response header/X-Request-ID pattern"),
        (200, {"Content-Type": "application/hal+json"}, SHOWN, "response header/Content-Type content"),
        (404, JSON, {"error": "no"}, "response /success required, response /error type"),
    ],
)
def test_violations_of_a_response_are_named(status: int, headers: dict[str, str], body: object, found: str) -> None:
    content = json.dumps(body, indent=1).encode()
    with answering(status, headers, content) as server, proxying(server) as (url, _):
        response = _get(url)
    assert response.headers.get("Contract-Violations") == found
    assert (response.status_code, response.content) == (status, content)


def test_an_encoded_body_is_checked_and_passed_as_it_is() -> None:
    body = gzip.compress(json.dumps(SHOWN | {"colour": "red"}).encode())
    with answering(200, JSON | {"Content-Encoding": "gzip"}, body) as server, proxying(server) as (url, _):
        request = httpx.Request("GET", f"{url}{demo.PAGE}", headers=KEY)
        with httpx.Client(trust_env=False) as client:
            response = client.send(request, stream=True)
            raw = b"".join(response.iter_raw())
    assert raw == body
    assert response.headers["Contract-Violations"] == "response /colour additionalProperties"


def test_a_header_lists_a_limited_number_of_violations() -> None:
    body = json.dumps(SHOWN | {f"n\u00e4me{index}\n": index for index in range(99)}).encode()
    with answering(200, JSON, body) as server, proxying(server) as (url, _):
        listed = _get(url).headers["Contract-Violations"].split(", ")
    assert len(listed) == MAX_LISTED + 1
    assert listed[0].startswith(r"response /n\xe4me")
    assert listed[-1] == f"{99 - MAX_LISTED} more"


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with answering(200, {}, b"") as server:
        pass
    with proxying(server) as (url, _):
        assert_envelope(_get(url), "SERVICE_UNAVAILABLE")


def test_the_report_counts_each_kind_of_violation() -> None:
    body = json.dumps(SHOWN | {"colour": "red"}).encode()
    with answering(200, JSON, body) as server, proxying(server) as (url, proxy):
        for _ in range(3):
            _get(url)
        assert httpx.get(f"{url}/v1/nothing", trust_env=False).status_code == 200
    assert proxy.report.operations() == [
        {"operation": "-", "requests": 1, "with_violations": 1},
        {"operation": "get_collection", "requests": 3, "with_violations": 3},
    ]
    first = {"times": 3, "operation": "get_collection", "in": "response", "pointer": "/colour"}
    assert proxy.report.violations()[0] == first | {"code": "additionalProperties", "message": "is not a known field"}


@pytest.mark.slow
@pytest.mark.parametrize("as_json", [True, False])
def test_the_command_ends_with_a_report_and_a_status(mocked: str, tmp_path: Path, as_json: bool) -> None:
    command = [sys.executable, "-m", "cli", "mock", "--port", "0", "--proxy", mocked, *(["--json"] if as_json else [])]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, **pipes) as process:
        url = next(found[1] for line in process.stderr or () if (found := re.search(r"listens on (http://\S+)", line)))
        assert _get(url).status_code == 200
        assert httpx.get(f"{url}{demo.PAGE}?a=1", headers=KEY, trust_env=False).status_code == 422
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    [logged] = [json.loads(line) for line in stderr.splitlines() if "contract violation" in line]
    assert (logged["operation"], logged["in"], logged["pointer"]) == ("get_collection", "request", "query/a")
    if as_json:
        report = json.loads(stdout)
        assert (report["server"], report["requests"], len(report["violations"])) == (mocked, 2, 1)
    else:
        assert "get_collection\t2\t1" in stdout
        assert "1\tget_collection\trequest\tquery/a\tadditionalProperties\tis not a known parameter" in stdout


def test_options_of_the_mock_are_refused_with_a_proxy(sqlite: Shell) -> None:
    words = ("mock", "--port", "0", "--proxy")
    assert "A proxy changes no answer" in sqlite.error(*words, "http://127.0.0.1:1", "--seed", "2")
    assert "--proxy must be an address" in sqlite.error(*words, "music.example")
