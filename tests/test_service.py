"""Health, the served contract, HEAD and OPTIONS, security headers, CORS, request ids and logs."""

import json
import re
import socket

import httpx
import pytest
from sqlalchemy import text

from models.db import connection, migrate
from tools.testing import databases
from tools.testing.service import (
    ALICE,
    HOME,
    NO_COLLECTION,
    ON_DATABASES,
    ON_ONE_DATABASE,
    Service,
    Services,
    add_all,
    assert_envelope,
    new_collection,
    operations,
    raw,
    violations,
)
from web.contract.reading import OperationObject, examples
from web.http.cors import ADDED

DEFAULT_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
REQUEST_ID = re.compile("req_[A-Za-z0-9_-]{1,64}")
GETS = [operation for operation in operations() if operation.method == "GET"]
PATHS = sorted({operation.path for operation in operations()})
each_get = pytest.mark.parametrize("operation", GETS, ids=lambda operation: operation.id)


@pytest.fixture
def anonymous(server: Service) -> httpx.Client:
    client = server.client()
    client.base_url = httpx.URL(server.url)
    return client


@pytest.fixture
def ids(alice: httpx.Client, tracks: list[str]) -> dict[str, str]:
    """Values of the path parameters: a collection of alice with a track, a job, a share link and a focus session."""
    made = new_collection(alice)["id"]
    add_all(alice, made, tracks[:1])
    job = alice.post("generations", json={"engine": "studio", "prompt": "A job", "duration_seconds": 30}).json()["id"]
    session = alice.post("focus/sessions", json={"goal": "relax", "target_minutes": 2}).json()["session_id"]
    own = {"collection_id": made, "track_id": tracks[0], "file": f"{tracks[0]}.mp3", "job_id": job}
    link = alice.post(f"collections/{made}/share").json()
    shared = {"share_id": link["id"], "token": link["token"], "position": "1"}
    return {"organization_id": HOME, "session_id": session, **shared, **own}


def test_the_service_is_alive_and_ready(anonymous: httpx.Client) -> None:
    for state in ("live", "ready"):
        response = anonymous.get(f"/v1/health/{state}")
        assert (response.status_code, response.json()) == (200, {"status": state})


@ON_DATABASES
def test_a_database_with_another_schema_is_not_ready(services: Services, kind: str) -> None:
    server = services.start(services.fresh_database(kind))
    client = server.client(server.key(ALICE)[1])
    with server.use_database():
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    error = assert_envelope(client.get(f"{server.url}/v1/health/ready"), "SERVICE_UNAVAILABLE")
    assert error["details"] == {}
    assert client.get(f"{server.url}/v1/health/live").status_code == 200


@pytest.mark.slow
def test_database_outage_gives_503_and_recovers(services: Services) -> None:
    with databases.breakable_postgres() as postgres:
        migrate.upgrade(postgres.url)
        server = services.start(postgres.url)
        client = server.client(server.key(ALICE)[1])
        assert client.get("collections").status_code == 200
        postgres.stop()
        outage = client.get(f"{server.url}/v1/health/ready")
        assert_envelope(outage, "SERVICE_UNAVAILABLE")
        assert int(outage.headers["Retry-After"]) >= 1
        assert_envelope(client.get("collections"), "SERVICE_UNAVAILABLE")
        assert_envelope(client.post("collections", json={"name": "a"}), "SERVICE_UNAVAILABLE")
        assert client.get(f"{server.url}/v1/health/live").status_code == 200
        postgres.start()
        assert client.get(f"{server.url}/v1/health/ready").status_code == 200
        assert client.get("collections").status_code == 200


@each_get
def test_head_has_the_headers_of_get(
    anonymous: httpx.Client, alice: httpx.Client, ids: dict[str, str], operation: OperationObject
) -> None:
    path, key = operation.path.format(**ids), {"X-API-Key": alice.headers["X-API-Key"]}
    for headers in (key, {}):
        get, head = (anonymous.request(method, path, headers=headers) for method in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert _comparable_headers(head) == _comparable_headers(get)


@ON_ONE_DATABASE
def test_head_sends_no_body_on_the_wire(server: Service) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as opened:
        opened.sendall(b"HEAD /v1/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        sent = b"".join(iter(lambda: opened.recv(4096), b""))
    assert sent.startswith(b"HTTP/1.1 200")
    assert sent.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("path", PATHS)
def test_options_lists_the_allowed_methods(anonymous: httpx.Client, ids: dict[str, str], path: str) -> None:
    response = anonymous.options(path.format(**ids))
    assert (response.status_code, response.content) == (204, b"")
    assert _methods(response) == _documented_methods(path)


@pytest.mark.parametrize("path", PATHS)
def test_undefined_method_gets_405_with_allow(anonymous: httpx.Client, ids: dict[str, str], path: str) -> None:
    for method in {"GET", "PUT", "POST", "DELETE", "PATCH", "TRACE"} - _documented_methods(path):
        response = anonymous.request(method, path.format(**ids))
        assert_envelope(response, "METHOD_NOT_ALLOWED")
        assert _methods(response) == _documented_methods(path), method


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/v2/health/live", "/v1/health/live/", "/V1/health/live"])
def test_unknown_path_gets_404(anonymous: httpx.Client, method: str, path: str) -> None:
    response = anonymous.request(method, path)
    assert response.status_code == 404
    assert method == "HEAD" or assert_envelope(response, "ENDPOINT_NOT_FOUND")


def test_trailing_slash_gets_404(anonymous: httpx.Client, alice: httpx.Client, ids: dict[str, str]) -> None:
    for path in PATHS:
        response = alice.get(f"{anonymous.base_url}{path.format(**ids)}/".replace("//v1", "/v1"))
        assert_envelope(response, "ENDPOINT_NOT_FOUND")
        assert "Location" not in response.headers


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.id)
def test_unknown_query_parameter_is_invalid_unless_the_contract_ignores_it(
    anonymous: httpx.Client, alice: httpx.Client, ids: dict[str, str], operation: OperationObject
) -> None:
    shown = examples(operation.body, operation.document) if operation.body else {}
    body = next(iter(shown.values()), None)
    path, key = operation.path.format(**ids), {"X-API-Key": alice.headers["X-API-Key"]}
    query = {node["name"]: node["example"] for node in operation.parameters_in("query") if node.get("required")}
    response = anonymous.request(operation.method, path, params=query | {"colour": "red"}, json=body, headers=key)
    if operation.node.get("x-unknown-query") == "ignored":
        plain = anonymous.request(operation.method, path, params=query, json=body, headers=key)
        assert response.status_code == plain.status_code
        return
    if "x-invalid-request" in operation.node:
        assert_envelope(response, operation.node["x-invalid-request"])
        return
    assert violations(response) == {("query/colour", "additionalProperties")}
    assert_envelope(response, "VALIDATION_ERROR")


@ON_DATABASES
def test_every_response_has_security_headers(
    services: Services, server: Service, alice: httpx.Client, ids: dict[str, str]
) -> None:
    path = f"collections/{ids['collection_id']}"
    tag = alice.get(path).headers["ETag"]
    broken = services.start(server.database_url, expected=["breaks the contract"])
    victim = broken.client(server.key("user_victim")[1])
    invalid = new_collection(victim)["id"]
    server.alter(invalid, cover_image_url="ftp://x")
    responses = {
        200: alice.get(path),
        201: alice.post("collections", json={"name": "a"}),
        204: alice.options(path),
        304: alice.get(path, headers={"If-None-Match": tag}),
        400: alice.post("collections", content=b"{", headers={"Content-Type": "application/json"}),
        401: server.client().get(path),
        404: alice.get(f"collections/{NO_COLLECTION}"),
        405: alice.put(path),
        412: alice.delete(path, headers={"If-Match": '"99"'}),
        422: alice.post("collections", json={}),
        431: raw(server, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000 + b"\r\n\r\n"),
        500: victim.get(f"collections/{invalid}"),
    }
    for status, response in responses.items():
        assert response.status_code == status, response.text
        assert {name: response.headers.get(name) for name in DEFAULT_HEADERS} == DEFAULT_HEADERS, status
        assert REQUEST_ID.fullmatch(response.headers["X-Request-ID"]), status
        assert "Server" not in response.headers


def test_cors_headers_are_absent_by_default(alice: httpx.Client) -> None:
    response = alice.get("collections", headers={"Origin": "https://evil.example"})
    assert response.status_code == 200
    assert not [name for name in response.headers if name.lower().startswith("access-control-")]


@ON_DATABASES
def test_listed_cors_origin_is_allowed(services: Services, server: Service, alice: httpx.Client) -> None:
    open_one = services.variant(server, CORS_ORIGINS="https://app.example https://two.example")
    client = open_one.client(alice.headers["X-API-Key"])
    allowed = client.get("collections", headers={"Origin": "https://app.example"})
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Origin" in allowed.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    asked = {"Origin": "https://two.example", "Access-Control-Request-Method": "POST"}
    assert "POST" in client.options("collections", headers=asked).headers["Access-Control-Allow-Methods"]
    for origin in ("https://evil.example", "null", "https://app.example.evil.example", "http://app.example"):
        refused = client.get("collections", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in refused.headers


def test_scripts_may_read_every_documented_header(services: Services, server: Service, alice: httpx.Client) -> None:
    open_one = services.variant(server, CORS_ORIGINS="*")
    client = open_one.client(alice.headers["X-API-Key"])
    documented = {
        name for operation in operations() for node in operation.by_status.values() for name in node.get("headers", {})
    }
    assert {"Allow", "ETag", "Idempotent-Replayed", "Location", "Retry-After", "WWW-Authenticate"} <= documented
    for path in ("collections", "collections/nothing", "collections?limit=0"):
        response = client.get(path, headers={"Origin": "https://any.example"})
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert set(response.headers["Access-Control-Expose-Headers"].split(", ")) == documented | {*ADDED}


@pytest.mark.parametrize("sent", ["req_abc12345", "req_" + "a" * 60, "req_A-b_c-9"])
def test_valid_client_request_id_is_kept(server: Service, anonymous: httpx.Client, sent: str) -> None:
    response = anonymous.get("/v1/nothing", headers={"X-Request-ID": sent})
    assert response.headers["X-Request-ID"] == response.json()["error"]["trace_id"] == sent
    assert [line["status"] for line in server.log_lines(sent)] == [404]


def test_request_id_prefix_is_added(anonymous: httpx.Client) -> None:
    assert (
        anonymous.get("/v1/health/live", headers={"X-Request-ID": "abcd-1234"}).headers["X-Request-ID"]
        == "req_abcd-1234"
    )


@pytest.mark.parametrize("sent", ["short", "a" * 65, "has blank in it", "semi;colon-", "%0a%0a%0a%0a", ""])
def test_malformed_request_id_is_replaced(anonymous: httpx.Client, sent: str) -> None:
    answered = anonymous.get("/v1/health/live", headers={"X-Request-ID": sent}).headers["X-Request-ID"]
    assert REQUEST_ID.fullmatch(answered)
    assert not sent or sent not in answered


def test_request_ids_are_unique(anonymous: httpx.Client) -> None:
    assert len({anonymous.get("/v1/health/live").headers["X-Request-ID"] for _ in range(20)}) == 20


def test_access_log_has_operation_status_and_method(server: Service, alice: httpx.Client) -> None:
    sent = alice.get("collections").headers["X-Request-ID"]
    [line] = server.log_lines(sent)
    fields = [line[name] for name in ("event", "operation", "status", "method")]
    assert fields == ["request", "list_collections", 200, "GET"]


def test_log_injection_is_escaped(server: Service, alice: httpx.Client) -> None:
    forged = '"}\\n{"event":"forged"'
    sent = alice.get("nothing%22%7D%0A", headers={"User-Agent": forged, "Referer": forged}).headers["X-Request-ID"]
    assert server.log_lines(sent)
    lines = [json.loads(line) for line in server.log_text().splitlines() if not line.startswith("Music Studio listens")]
    assert not [line for line in lines if line["event"] == "forged"]


def _methods(response: httpx.Response) -> set[str]:
    return {method.strip() for method in response.headers["Allow"].split(",")}


def _documented_methods(path: str) -> set[str]:
    methods = {operation.method for operation in operations() if operation.path == path} | {"OPTIONS"}
    return methods | {"HEAD"} if "GET" in methods else methods


def _comparable_headers(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in {"x-request-id", "date"}}
