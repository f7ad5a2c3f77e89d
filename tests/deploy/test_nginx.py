"""nginx in front of the service: every error of the proxy has the error envelope."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tools.deploy.nginx import NAME, Proxy, free_port, running
from tools.testing import databases
from tools.testing import service as harness
from tools.testing.cli_runner import Shell
from web.contract import document as contract
from web.default_headers import DefaultHeaders

LIST = b"/v1/music/org_real/collections"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, str]]:
    """A proxy in front of the service, and a key."""
    folder = tmp_path_factory.mktemp("proxy")
    shell = Shell(folder, databases.sqlite_url(folder))
    shell.text("migrate")
    key = shell.text("keys", "create", "--organization", "org_real", "--user", "ida").strip()
    with shell.serving("serve", "--port", "0") as (url, _), running(folder, int(url.rpartition(":")[2])) as proxy:
        yield proxy, key


@pytest.fixture
def proxy_without_service(tmp_path: Path) -> Iterator[Proxy]:
    """A proxy whose service is stopped."""
    with running(tmp_path, free_port()) as proxy:
        yield proxy


def request(line: bytes, *fields: bytes) -> bytes:
    """A request with `Connection: close`."""
    host = b"Host: " + NAME.encode()
    return b"\r\n".join([line + b" HTTP/1.1", host, *fields, b"Connection: close", b"", b""])


def assert_envelope(response: httpx.Response, code: str) -> None:
    """The response has the error envelope and the default headers of the service."""
    harness.assert_envelope(response, code)
    defaults = DefaultHeaders(contract.document()).fields
    assert {name: response.headers[name] for name in defaults} == defaults
    assert "Strict-Transport-Security" in response.headers


BROKEN = {
    "a broken request line": (b"GET\r\n\r\n", "MALFORMED_REQUEST"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", "MALFORMED_REQUEST"),
    "two hosts": (request(b"GET /", b"Host: other"), "MALFORMED_REQUEST"),
    "a newer HTTP": (b"GET / HTTP/9.9\r\n\r\n", "MALFORMED_REQUEST"),
    "an unknown transfer coding": (request(b"POST " + LIST, b"Transfer-Encoding: gzip"), "MALFORMED_REQUEST"),
    "two lengths": (request(b"POST " + LIST, b"Content-Length: 1", b"Content-Length: 2"), "MALFORMED_REQUEST"),
    "a control character in the path": (request(b"GET /\x01"), "MALFORMED_REQUEST"),
    "a path above the root": (request(b"GET /../../etc/passwd"), "MALFORMED_REQUEST"),
    "the errors' own address": (request(b"GET /-/errors/503"), "ENDPOINT_NOT_FOUND"),
    "TRACE": (request(b"TRACE /"), "METHOD_NOT_ALLOWED"),
    "a long address": (request(b"GET /" + b"a" * 9000), "URI_TOO_LONG"),
    "a long header field": (request(b"GET /", b"X-Long: " + b"a" * 9000), "HEADERS_TOO_LARGE"),
    "many header fields": (request(b"GET /", *(b"X-%d: " % n + b"a" * 7000 for n in range(6))), "HEADERS_TOO_LARGE"),
    "a large body": (request(b"POST " + LIST, b"Content-Length: 2000000"), "PAYLOAD_TOO_LARGE"),
}


@pytest.mark.parametrize("wrong", BROKEN)
def test_nginx_errors_use_the_error_envelope(served: tuple[Proxy, str], wrong: str) -> None:
    sent, code = BROKEN[wrong]
    assert_envelope(served[0].send(sent), code)


def test_incomplete_body_times_out_in_the_service(served: tuple[Proxy, str]) -> None:
    proxy, key = served
    fields = (b"X-API-Key: " + key.encode(), b"Content-Type: application/json", b"Content-Length: 10")
    assert_envelope(proxy.send(request(b"POST " + LIST, *fields) + b"{"), "REQUEST_TIMEOUT")


def test_plain_http_on_the_tls_port_gets_the_error_envelope(served: tuple[Proxy, str]) -> None:
    response = served[0].send_without_tls(request(b"GET /"))
    assert response.startswith(b"HTTP/1.1 400 ")
    assert b'"code": "MALFORMED_REQUEST"' in response


def test_stopped_service_gives_503_with_retry_after(proxy_without_service: Proxy) -> None:
    response = proxy_without_service.send(request(b"GET " + LIST, b"X-Request-ID: req_mine1234"))
    assert_envelope(response, "SERVICE_UNAVAILABLE")
    assert response.headers["X-Request-ID"] == "req_mine1234"
    assert response.headers["Retry-After"] == "1"


def test_unresponsive_service_gives_503(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, running(tmp_path, silent.getsockname()[1]) as proxy:
        assert_envelope(proxy.send(request(b"GET " + LIST)), "SERVICE_UNAVAILABLE")


def test_head_error_has_no_body(proxy_without_service: Proxy) -> None:
    response = proxy_without_service.send(request(b"HEAD " + LIST))
    assert (response.status_code, response.content) == (503, b"")


def test_service_responses_pass_through_unchanged(served: tuple[Proxy, str]) -> None:
    proxy, key = served
    response = proxy.send(request(b"GET " + LIST, b"X-API-Key: " + key.encode()))
    assert (response.status_code, response.json()["items"]) == (200, [])
    unauthenticated = proxy.send(request(b"GET " + LIST))
    assert_envelope(unauthenticated, "AUTHENTICATION_REQUIRED")
    assert "WWW-Authenticate" in unauthenticated.headers
    assert unauthenticated.json()["error"]["system_message"] == "Missing or invalid authorization header"


@pytest.mark.parametrize(
    ("theirs", "kept"),
    [
        (b"abcdefgh", "req_abcdefgh"),
        (b"req_abcdefgh", "req_abcdefgh"),
        (b"short", None),
        (b"with blanks in it", None),
        (b"msk_" + b"a" * 36, None),
    ],
)
def test_request_id_is_the_same_in_proxy_and_service(
    served: tuple[Proxy, str], proxy_without_service: Proxy, theirs: bytes, kept: str | None
) -> None:
    for proxy in (served[0], proxy_without_service):
        found = proxy.send(request(b"GET " + LIST, b"X-Request-ID: " + theirs)).json()["error"]["trace_id"]
        assert found == kept if kept else re.fullmatch("req_[0-9a-f]{32}", found)
