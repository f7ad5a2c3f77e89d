"""Errors: every code of the contract is returned by a real server in the documented envelope."""

import json
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

import app
from models import engines, spending, tracks
from settings import Settings
from tools.testing.played import sealed
from tools.testing.service import (
    ALICE,
    HOME,
    NO_COLLECTION,
    ON_DATABASES,
    ON_ONE_DATABASE,
    Service,
    Services,
    assert_envelope,
    new_collection,
    operations,
    raw,
    violations,
)
from tools.testing.thread_server import serving
from web.asgi import Receive, Scope, Send
from web.contract import document as contract
from web.exceptions import InternalError
from web.responses import encode_headers

PIECE = {"engine": "studio", "prompt": "An error", "duration_seconds": 30}
SECRET = "the shared secret of these tests, 32 bytes or more"


class Context(NamedTuple):
    """Fixtures that a provocation may use."""

    services: Services
    server: Service
    alice: httpx.Client
    mallory: httpx.Client
    tracks: list[str]


def _malformed_request(context: Context) -> httpx.Response:
    return context.alice.post("collections", content=b'{"name": ', headers={"Content-Type": "application/json"})


def _authentication_required(context: Context) -> httpx.Response:
    return context.server.client().get("collections")


def _api_key_expired(context: Context) -> httpx.Response:
    return context.server.client(context.server.expired_key(ALICE)).get("collections")


def _api_key_deactivated(context: Context) -> httpx.Response:
    return context.server.client(context.server.key(ALICE, state="deactivated")[1]).get("collections")


def _api_key_paused(context: Context) -> httpx.Response:
    return context.server.client(context.server.key(ALICE, state="paused")[1]).get("collections")


def _token_expired(context: Context) -> httpx.Response:
    return _with_token(context, {"sub": ALICE, "exp": int(time.time()) - 60, "scope": "music:read"})


def _token_invalid(context: Context) -> httpx.Response:
    return _with_token(context, {"sub": "user_unknown", "exp": int(time.time()) + 60, "scope": "music:read"})


def _organization_access_denied(context: Context) -> httpx.Response:
    return context.mallory.get("collections")


def _insufficient_permissions(context: Context) -> httpx.Response:
    reader = context.server.client(context.server.key(ALICE, scopes=["music:read"])[1])
    return reader.post("collections", json={"name": "Test"})


def _resource_not_found(context: Context) -> httpx.Response:
    return context.alice.get(f"collections/{NO_COLLECTION}")


def _playback_url_invalid(context: Context) -> httpx.Response:
    return context.server.client().get(f"{context.server.url}/v1/music/audio/{context.tracks[0]}.mp3?sig=forged")


def _ambiguous_organization(context: Context) -> httpx.Response:
    context.server.key(ALICE, f"org_{secrets.token_hex(6)}")
    server = context.services.variant(context.server, JWT_SECRET=SECRET)
    url = _save_url(context, "tracks", context.tracks[0]).replace(context.server.url, server.url)
    claims = {"sub": ALICE, "exp": int(time.time()) + 60, "scope": "music:write"}
    return server.client().post(url, headers=_bearer(claims))


def _not_savable(context: Context) -> httpx.Response:
    return context.alice.post(_save_url(context, "collections", new_collection(context.alice)["id"]))


def _save_url(context: Context, kind: str, target: str) -> str:
    token = context.alice.post(f"{kind}/{target}/share").json()["token"]
    return f"{context.server.url}/v1/music/shared/{token}/save"


def _endpoint_not_found(context: Context) -> httpx.Response:
    return context.alice.get("nothing")


def _method_not_allowed(context: Context) -> httpx.Response:
    return context.alice.put("collections", json={})


def _not_acceptable(context: Context) -> httpx.Response:
    return context.alice.get("collections", headers={"Accept": "text/html"})


def _request_timeout(context: Context) -> httpx.Response:
    return raw(context.server, b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\n")


def _collection_full(context: Context) -> httpx.Response:
    made = new_collection(context.alice)
    context.server.fill(made["id"], context.server.make_tracks(10_000))
    return context.alice.post(f"collections/{made['id']}/tracks", json={"track_id": context.tracks[0]})


def _idempotency_key_in_use(context: Context) -> httpx.Response:
    with context.server.blocked_writes(), ThreadPoolExecutor(1) as pool:
        first = pool.submit(_create_once, context, "Twin")
        time.sleep(0.3)  # the first request waits for the database now
        second = _create_once(context, "Twin")
        first.result()
    return second


def _too_many_active_jobs(context: Context) -> httpx.Response:
    context.alice.post("generations", json=PIECE)
    few = context.services.variant(context.server, MAX_ACTIVE_JOBS="1").client(context.alice.headers["X-API-Key"])
    return few.post("generations", json=PIECE)


def _spend_limit_exceeded(context: Context) -> httpx.Response:
    organization = f"org_{secrets.token_hex(6)}"
    poor = context.server.client(context.server.key(ALICE, organization)[1], organization)
    with context.server.use_database():
        engines.change("studio", cents_per_minute=100)
        spending.set_limits(organization, {"month": 49})
        response = poor.post("generations", json=PIECE)
        engines.change("studio", cents_per_minute=0)
    return response


def _storage_full(context: Context) -> httpx.Response:
    organization = f"org_{secrets.token_hex(6)}"
    key = context.server.key(ALICE, organization)[1]
    with context.server.use_database():
        tracks.add(organization, ALICE, title="Large", audio=("large", 2 * 1024 * 1024, "audio/mpeg"))
    full = context.services.variant(context.server, ORGANIZATION_AUDIO_MIB="1").client(key, organization)
    return full.post("generations", json=PIECE)


def _precondition_failed(context: Context) -> httpx.Response:
    path = f"collections/{new_collection(context.alice)['id']}"
    return context.alice.patch(path, json={"name": "Late"}, headers={"If-Match": '"99"'})


def _range_not_satisfiable(context: Context) -> httpx.Response:
    with context.server.use_database():
        short = tracks.add(HOME, ALICE, title="Short", audio=("short", 9, "audio/mpeg"))
    assert short is not None
    return context.server.client().get(context.server.url + sealed(short.id), headers={"Range": "bytes=9-"})


def _payload_too_large(context: Context) -> httpx.Response:
    return context.alice.post("collections", json={"name": "a" * 1024 * 1024})


def _uri_too_long(context: Context) -> httpx.Response:
    return context.alice.get("collections?" + "a" * 9000)


def _unsupported_media_type(context: Context) -> httpx.Response:
    return context.alice.post("collections", content=b"<name/>", headers={"Content-Type": "application/xml"})


def _validation_error(context: Context) -> httpx.Response:
    return context.alice.post("collections", json={"name": ""})


def _idempotency_key_reused(context: Context) -> httpx.Response:
    _create_once(context, "One")
    return _create_once(context, "Two", key="one")


def _precondition_required(context: Context) -> httpx.Response:
    strict = context.services.variant(context.server, REQUIRE_IF_MATCH="on")
    path = f"collections/{new_collection(context.alice)['id']}"
    return strict.client(context.alice.headers["X-API-Key"]).delete(path)


def _rate_limit_exceeded(context: Context) -> httpx.Response:
    limited = context.services.start(context.server.database_url, RATE_LIMIT="1/hour")
    client = limited.client(context.alice.headers["X-API-Key"])
    assert client.get("collections").status_code == 200
    return client.get("collections")


def _headers_too_large(context: Context) -> httpx.Response:
    return context.alice.get("collections", headers={"X-Padding": "a" * 40_000})


def _internal_server_error(context: Context) -> httpx.Response:
    broken = context.services.start(context.server.database_url, expected=["breaks the contract"])
    victim = broken.client(context.server.key("user_victim")[1])
    made = new_collection(victim)
    context.server.alter(made["id"], cover_image_url="ftp://nobody.checks.this.column")
    return victim.get(f"collections/{made['id']}")


def _service_unavailable(context: Context) -> httpx.Response:
    with context.server.blocked_writes():
        return context.alice.post("collections", json={"name": "Later"})


PROVOCATIONS: dict[str, Callable[[Context], httpx.Response]] = {
    name.upper().removeprefix("_"): function
    for name, function in list(globals().items())
    if name.upper().removeprefix("_") in contract.document()["components"]["schemas"]["ErrorCode"]["enum"]
}
SLOW = {"REQUEST_TIMEOUT", "SERVICE_UNAVAILABLE", "COLLECTION_FULL"}


@pytest.fixture
def context(
    services: Services, server: Service, alice: httpx.Client, mallory: httpx.Client, tracks: list[str]
) -> Context:
    return Context(services, server, alice, mallory, tracks)


@ON_DATABASES
@pytest.mark.parametrize(
    "code", [pytest.param(code, marks=pytest.mark.slow if code in SLOW else ()) for code in sorted(PROVOCATIONS)]
)
def test_each_error_code_has_the_documented_envelope(context: Context, code: str) -> None:
    response = PROVOCATIONS[code](context)
    request = ("GET", "/v1/health/live") if code == "REQUEST_TIMEOUT" else None
    error = assert_envelope(response, code, request)
    assert len(response.content) <= 8192
    assert response.headers["Link"] == f'</docs/api-reference/music/errors#{code.lower()}>; rel="help"'
    for header, codes in HEADERS.items():
        assert (header in response.headers) == (code in codes), f"{code} and {header}"
    if code == "RATE_LIMIT_EXCEEDED":
        assert error["details"]["retry_after"] == int(response.headers["Retry-After"]) > 0


HEADERS = {
    "WWW-Authenticate": {
        "AUTHENTICATION_REQUIRED", "API_KEY_EXPIRED", "API_KEY_DEACTIVATED", "API_KEY_PAUSED", "TOKEN_EXPIRED",
        "TOKEN_INVALID",
    },
    "Retry-After": {
        "RATE_LIMIT_EXCEEDED", "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "IDEMPOTENCY_KEY_IN_USE",
        "SPEND_LIMIT_EXCEEDED", "STORAGE_FULL", "REQUEST_TIMEOUT", "TOO_MANY_ACTIVE_JOBS",
    },
    "Allow": {"METHOD_NOT_ALLOWED"},
    "Accept-Post": {"UNSUPPORTED_MEDIA_TYPE"},
}  # fmt: skip


def test_every_error_code_has_a_provocation() -> None:
    enum = set(contract.document()["components"]["schemas"]["ErrorCode"]["enum"])
    assert set(PROVOCATIONS) == enum, (
        f"Codes that no test provokes: {sorted(enum - set(PROVOCATIONS))}.\n"
        "Write a function in tests/test_errors.py named like the code, in lower case after an underscore, that makes a "
        "real server return it. A code that nothing can provoke does not belong in the contract."
    )


def test_every_documented_code_of_an_operation_is_in_the_catalog() -> None:
    catalog = contract.document()["components"]["schemas"]["ErrorCode"]["x-errors"]
    for operation in operations():
        for status in [int(status) for status in operation.node["responses"] if status >= "400"]:
            shown = operation.error_codes(status)
            assert shown, f"{operation.id} shows no example for {status}"
            assert {catalog[code]["status"] for code in shown} == {status}, f"{operation.id} {status}: {shown}"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/",
        "/v1",
        "/v1/",
        "/v1/health/live/",
        "//v1/health/live",
        "/v1//health/live",
        "/v1/health/%6Cive",
        "/v1/health/../health/live",
        "/v1/music/org_home1/collections/",
        "/v1/music/org_home1/collections/a%2Fb",
        "/v1/music/org_home1/collections/a%00b",
        "/v1/music/org_home1/collections/%0a",
        "/v1/music/org_home1/collections/%ff",
    ],
)
@ON_ONE_DATABASE
def test_misspelt_path_is_endpoint_not_found(server: Service, path: str) -> None:
    response = raw(server, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert_envelope(response, "ENDPOINT_NOT_FOUND", ("GET", "/nowhere"))


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b'{"name": "a",}',
        b"{'name': 'a'}",
        b'{"name": "a"} x',
        b'{"name": "a", "name": "b"}',
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"name": "\xff"}',
        '{"name": "a"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"name": "a"}',
        b'{"name": "\\ud800"}',
        b'{"name": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"name": 123456789012345678901234567890}',
    ],
    ids=lambda body: ascii(body[:24]),
)
def test_invalid_json_is_malformed(alice: httpx.Client, body: bytes) -> None:
    response = alice.post("collections", content=body, headers=JSON)
    assert_envelope(response, "MALFORMED_REQUEST" if body else "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "media_type",
    [
        "", "text/json", "application/xml", "application/json; charset=latin-1", "application/json; charset=utf-16",
        "application/json-patch+json", "application/jsonx", "application/json, application/json",
    ],
)  # fmt: skip
def test_unsupported_media_type_gets_415_with_accept_header(
    alice: httpx.Client, collection: dict[str, Any], media_type: str
) -> None:
    merge_patch = "application/json, application/merge-patch+json"
    for method, path, field, accepted in (
        ("POST", "collections", "Accept-Post", "application/json"),
        ("PATCH", f"collections/{collection['id']}", "Accept-Patch", merge_patch),
        ("PATCH", f"collections/{collection['id']}/order", "Accept-Patch", "application/json"),
    ):
        response = alice.request(method, path, content=b'{"name": "a"}', headers={"Content-Type": media_type})
        assert_envelope(response, "UNSUPPORTED_MEDIA_TYPE")
        assert response.headers[field] == accepted


def test_update_takes_a_merge_patch(alice: httpx.Client, collection: dict[str, Any]) -> None:
    path, headers = f"collections/{collection['id']}", {"Content-Type": "application/merge-patch+json; charset=utf-8"}
    for name, description in (("Renamed", "Kept"), ("Again", None)):
        content = json.dumps({"name": name, "description": description}).encode()
        response = alice.patch(path, content=content, headers=headers)
        assert (response.status_code, response.json()["name"]) == (200, name)
        assert response.json()["description"] == description
    assert violations(alice.patch(path, content=b'{"colour": 1}', headers=headers)) == {
        ("/colour", "additionalProperties")
    }


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON", 'application/json; charset="UTF-8"'])
def test_json_content_type_variants_are_accepted(alice: httpx.Client, media_type: str) -> None:
    response = alice.post("collections", content=b'{"name": "a"}', headers={"Content-Type": media_type})
    assert response.status_code == 201


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/json;q=0", "image/*", "*/*;q=0"])
def test_accept_without_json_gets_406(alice: httpx.Client, accept: str) -> None:
    assert_envelope(alice.get("collections", headers={"Accept": accept}), "NOT_ACCEPTABLE")


@pytest.mark.parametrize("accept", ["*/*", "application/*", "text/html, application/json;q=0.1", "a/b, */*;q=0.1"])
def test_accept_with_json_among_others_gets_200(alice: httpx.Client, accept: str) -> None:
    assert alice.get("collections", headers={"Accept": accept}).status_code == 200


@ON_ONE_DATABASE
def test_content_length_over_the_limit_gets_413_before_the_body(server: Service, alice: httpx.Client) -> None:
    key = alice.headers["X-API-Key"]
    head = (
        f"POST /v1/music/{HOME}/collections HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: application/json"
    )
    response = raw(server, f"{head}\r\nContent-Length: 1048577\r\n\r\n".encode(), timeout=5)
    assert_envelope(response, "PAYLOAD_TOO_LARGE", ("POST", f"/v1/music/{HOME}/collections"))


@ON_ONE_DATABASE
@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n",
        b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
        b"POST /v1/health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /v1/health/live HTTP/1.1\r\n\r\n",
        b"GET /v1/health/live HTTP/3.0\r\nHost: x\r\n\r\n",
        b"FOO /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=lambda sent: ascii(sent[:60]),
)
def test_invalid_http_gets_the_error_envelope(server: Service, bytes_sent: bytes) -> None:
    assert_envelope(raw(server, bytes_sent), "MALFORMED_REQUEST", ("GET", "/v1/health/live"))


@ON_ONE_DATABASE
def test_more_than_100_header_fields_get_431(server: Service) -> None:
    fields = b"".join(b"X-Field-%d: a\r\n" % number for number in range(101))
    response = raw(server, b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n")
    assert_envelope(response, "HEADERS_TOO_LARGE", ("GET", "/v1/health/live"))


def test_error_body_does_not_repeat_long_input(alice: httpx.Client) -> None:
    for response in (
        alice.post("collections", json={"name": "a", "x" * 100_000: 1}),
        alice.post("collections", json={"name": "a"} | {f"field{number}": 1 for number in range(5_000)}),
        alice.get("collections?" + "x" * 4000 + "=1"),
        alice.get("collections/" + "x" * 4000),
    ):
        assert response.status_code in {404, 422}
        assert len(response.content) <= 8192


@ON_DATABASES
def test_report_only_validation_logs_contract_violations(services: Services, server: Service) -> None:
    lenient = services.start(server.database_url, expected=["breaks the contract"], RESPONSE_VALIDATION="report")
    victim = lenient.client(server.key("user_victim")[1])
    made = new_collection(victim)
    server.alter(made["id"], cover_image_url="ftp://x")
    response = victim.get(f"collections/{made['id']}")
    assert (response.status_code, response.json()["cover_image_url"]) == (200, "ftp://x")
    assert "breaks the contract" in lenient.await_log("breaks the contract")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_line_break_in_a_response_header_is_rejected(end: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        encode_headers({"location": f"/v1{end}x-other: 1"})


def test_application_failure_gets_the_error_envelope() -> None:
    application = app.create_mock(Settings())

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            raise RuntimeError("the application itself")
        await application(scope, receive, send)

    with serving(failing) as url:
        response = httpx.get(f"{url}/v1/health/live")
    assert_envelope(response, InternalError.code, ("GET", "/v1/health/live"))
    assert response.headers["connection"] == "close"


def _with_token(context: Context, claims: dict[str, Any]) -> httpx.Response:
    server = context.services.variant(context.server, JWT_SECRET=SECRET)
    return server.client().get("collections", headers=_bearer(claims))


def _bearer(claims: dict[str, Any]) -> dict[str, str]:
    token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))
    return {"Authorization": f"Bearer {token}"}


def _create_once(context: Context, name: str, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": f"test-errors-{key or name}".lower()}
    return context.alice.post("collections", json={"name": name}, headers=headers)
