"""Rate limits per credential and address: headers on every response, and Redis as shared storage."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.testing.cases import head
from tools.testing.redis_server import RedisServer
from tools.testing.service import ALICE, HOME, READ, Service, Services, assert_envelope, at_once, new_collection, raw
from web.contract import document as contract
from web.contract.schemas import Validator

# A window that does not end during a test.
DAY = "day"
FIELDS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit", "RateLimit-Policy")
UNAVAILABLE, AVAILABLE = "rate limit store unavailable", "rate limit store available again"
DECLARED = contract.document()["x-rate-limits"]


@pytest.fixture(scope="module")
def database_url(services: Services) -> str:
    return services.actors("sqlite").service.database_url


@pytest.fixture
def server(services: Services) -> Service:
    """A server without rate limits, on SQLite."""
    return services.actors("sqlite").service


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    started = RedisServer(tmp_path)
    try:
        yield started
    finally:
        started.stop()


def test_quotas_of_the_contract_apply(services: Services, server: Service) -> None:
    limited = services.variant(server, RATE_LIMIT="")
    mine = limited.client(server.key(ALICE)[1]).get("collections")
    unauthenticated = limited.client("nonsense").get("collections")
    health, elsewhere = (limited.client().get(limited.url + path) for path in ("/v1/health/live", "/v1/nothing"))
    for name, response in (
        ("default", mine),
        ("refusals", unauthenticated),
        ("probes", health),
        ("address", elsewhere),
    ):
        requests, seconds = DECLARED[name]["requests"], DECLARED[name]["seconds"]
        assert response.headers["RateLimit-Policy"] == f'"{name}";q={requests};w={seconds}'
        assert response.headers["X-RateLimit-Limit"] == str(requests)


def test_quota_is_enforced_and_sent_in_headers(services: Services, server: Service) -> None:
    limited = services.start(server.database_url, RATE_LIMIT="3/day")
    client, other = (limited.client(server.key(ALICE)[1]) for _ in range(2))
    responses = [client.get("collections") for _ in range(5)]
    assert [response.status_code for response in responses] == [200, 200, 200, 429, 429]
    assert [response.headers["X-RateLimit-Remaining"] for response in responses] == ["2", "1", "0", "0", "0"]
    for response in responses:
        assert response.headers["X-RateLimit-Limit"] == "3"
        assert response.headers["RateLimit-Policy"] == '"default";q=3;w=86400'
        left, seconds = _state(response)
        assert str(left) == response.headers["X-RateLimit-Remaining"]
        assert abs(int(response.headers["X-RateLimit-Reset"]) - time.time() - seconds) < 60
    assert assert_envelope(responses[-1], "RATE_LIMIT_EXCEEDED")["details"] == {
        "retry_after": int(responses[-1].headers["Retry-After"])
    }
    assert other.get("collections").status_code == 200, "each key has its own quota"
    assert client.get(f"{limited.url}/v1/health/live").status_code == 200, "health checks have their own quota"


def test_key_can_have_its_own_quota(services: Services, server: Service) -> None:
    limited = services.variant(server, RATE_LIMIT="1/day")
    few, many, usual = (limited.client(server.key(ALICE, rate_limit=own)[1]) for own in ("2/day", "off", None))
    assert [few.get("collections").status_code for _ in range(3)] == [200, 200, 429]
    assert [many.get("collections").status_code for _ in range(3)] == [200, 200, 200]
    assert [usual.get("collections").status_code for _ in range(2)] == [200, 429]
    assert few.get("collections").headers["RateLimit-Policy"] == '"default";q=2;w=86400'


@pytest.mark.slow
def test_request_after_retry_after_succeeds(services: Services, server: Service) -> None:
    limited = services.start(server.database_url, RATE_LIMIT="2/second")
    client = limited.client(server.key(ALICE)[1])
    refused = next(response for response in _repeated(client) if response.status_code == 429)
    wait = int(refused.headers["Retry-After"])
    assert wait >= _state(refused)[1]
    time.sleep(wait)
    assert client.get("collections").status_code == 200


def _repeated(client: httpx.Client) -> Iterator[httpx.Response]:
    while True:
        yield client.get("collections")


def test_failed_authentication_has_its_own_quota(services: Services, server: Service) -> None:
    limited = services.start(server.database_url, RATE_LIMIT="", RATE_LIMIT_AUTH_FAILURES="3/day")
    good = limited.client(server.key(ALICE)[1])
    responses = [limited.client("nonsense").get("collections").status_code for _ in range(5)]
    assert responses == [401, 401, 401, 429, 429]
    assert good.get("collections").status_code == 200, "a good key from the same address still works"


def test_address_quota_is_counted_before_authentication(services: Services, server: Service) -> None:
    limited = services.start(
        server.database_url, RATE_LIMIT="", RATE_LIMIT_ADDRESS="3/day", TRUSTED_PROXIES="127.0.0.1"
    )
    good = limited.client(server.key(ALICE)[1])
    for _ in range(3):
        assert good.get("collections", headers={"X-Forwarded-For": "203.0.113.5"}).status_code == 200
    # The left entry comes from the client, and is not trusted.
    refused = good.get("collections", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.5"})
    assert_envelope(refused, "RATE_LIMIT_EXCEEDED")
    assert refused.headers["RateLimit-Policy"] == '"address";q=3;w=86400'
    guess = limited.client("nonsense").get("collections", headers={"X-Forwarded-For": "203.0.113.5"})
    assert_envelope(guess, "RATE_LIMIT_EXCEEDED")
    assert good.get("collections", headers={"X-Forwarded-For": "203.0.113.6"}).status_code == 200
    network = [good.get("collections", headers={"X-Forwarded-For": f"2001:db8::{n}"}).status_code for n in range(4)]
    assert network == [200, 200, 200, 429], "IPv6 addresses count by their first 64 bits"


@pytest.mark.parametrize(
    ("header", "value"),
    [("X-Forwarded-For", "203.0.113.9:{n}"), ("X-Forwarded-For", "[2001:db8::{n}]:{n}"), ("X-Forwarded-For", "word{n}"),
     ("X-Forwarded-For", "203.0.113.11, 127.0.0.1:{n}"), ("X-Forwarded-For", "198.51.100.{zeros}4"),
     ("Forwarded", 'for="203.0.113.12:{n}"')],
)  # fmt: skip
def test_client_cannot_vary_the_spelling_of_its_address(
    services: Services, server: Service, header: str, value: str
) -> None:
    limits = {"RATE_LIMIT": "", "RATE_LIMIT_ADDRESS": "4/day", "RATE_LIMIT_AUTH_FAILURES": "2/day"}
    client = services.variant(server, TRUSTED_PROXIES="127.0.0.1", **limits).client("nonsense")
    responses = [
        client.get("collections", headers={header: value.format(n=n, zeros="0" * n)}).status_code for n in range(1, 7)
    ]
    assert responses == [401, 401, 429, 429, 429, 429]


def test_x_forwarded_for_of_an_untrusted_peer_is_ignored(services: Services, server: Service) -> None:
    limited = services.start(server.database_url, RATE_LIMIT="", RATE_LIMIT_ADDRESS="3/day")
    client = limited.client()
    responses = [
        client.get(f"{limited.url}/v1/openapi.json", headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(5)
    ]
    assert [response.status_code for response in responses] == [200, 200, 200, 429, 429]
    assert limited.await_log("MUSIC_STUDIO_TRUSTED_PROXIES").count("MUSIC_STUDIO_TRUSTED_PROXIES") == 1


def test_every_response_has_rate_limit_headers(services: Services, server: Service) -> None:
    limited = services.variant(server, RATE_LIMIT="")
    alice = limited.client(server.key(ALICE)[1])
    made = new_collection(alice)["id"]
    tag = alice.get(f"collections/{made}").headers["ETag"]
    reader = limited.client(server.key(ALICE, scopes=[READ])[1])
    responses = {
        200: alice.get(f"collections/{made}"),
        201: alice.post("collections", json={"name": "a"}),
        204: alice.options("collections"),
        304: alice.get(f"collections/{made}", headers={"If-None-Match": tag}),
        400: alice.post("collections", content=b"{", headers={"Content-Type": "application/json"}),
        401: limited.client().get("collections"),
        403: reader.post("collections", json={"name": "a"}),
        404: alice.get(f"{limited.url}/v1/nothing"),
        405: alice.put("collections"),
        406: alice.get("collections", headers={"Accept": "text/html"}),
        408: None,
        412: alice.delete(f"collections/{made}", headers={"If-Match": '"99"'}),
        413: alice.post("collections", content=b"a" * (2 << 20), headers={"Content-Type": "application/json"}),
        414: alice.get("collections?a=" + "a" * 10_000),
        415: alice.post("collections", content=b"{}", headers={"Content-Type": "text/plain"}),
        422: alice.get("collections?limit=0"),
        431: alice.get("collections", headers={"X-Padding": "a" * 40_000}),
    }
    responses[408] = raw(limited, b"NONSENSE\r\n\r\n")
    page = alice.get(f"{limited.url}/docs")
    assert page.status_code == 200
    for status, response in [*responses.items(), (200, page)]:
        assert response is not None
        assert response.status_code == (400 if status == 408 else status)
        for field in FIELDS:
            _assert_documented(field, response)


def _assert_documented(field: str, response: httpx.Response) -> None:
    document = contract.document()
    schema = document["components"]["headers"][field]["schema"]
    value: Any = response.headers[field]
    assert Validator(schema, document).is_valid(int(value) if schema["type"] == "integer" else value), (field, value)


def test_disabled_rate_limit_sends_no_headers(server: Service) -> None:
    names = {name.lower() for name in server.client(server.key(ALICE)[1]).get("collections").headers}
    assert not {name for name in names if "ratelimit" in name}


def test_operation_uses_its_x_rate_limit(services: Services, server: Service, tmp_path: Path) -> None:
    other = json.loads(json.dumps(contract.document()))
    other["x-rate-limits"]["seldom"] = {"per": "credential", "requests": 2, "seconds": 86_400, "description": "Few."}
    other["paths"]["/music/{organization_id}/collections"]["get"]["x-rate-limit"] = "seldom"
    limited = services.start(server.database_url, CONTRACT=_written(other, tmp_path), RATE_LIMIT="")
    client = limited.client(server.key(ALICE)[1])
    responses = [client.get("collections") for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert responses[0].headers["RateLimit-Policy"] == '"seldom";q=2;w=86400'
    new_collection(client)


def _written(document: dict[str, Any], folder: Path) -> str:
    file = folder / "contract.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return str(file)


@pytest.mark.slow
def test_two_workers_share_one_quota(services: Services, server: Service, redis: RedisServer) -> None:
    quota, figures = 60, services.folder / "figures"
    figures.mkdir()
    limited = services.start(
        server.database_url, WORKERS="2", RATE_LIMIT=f"{quota}/{DAY}", RATE_LIMIT_STORAGE=redis.url,
        METRICS_DIR=str(figures),
    )  # fmt: skip
    key = server.key(ALICE)[1]
    rounds = at_once(24, lambda _: [_status(limited, key) for _ in range(2 * quota // 24)])
    statuses = [status for several in rounds for status in several]
    assert abs(statuses.count(200) - quota) <= 1
    assert set(statuses) == {200, 429}
    time.sleep(1.5)
    busy = [file for file in figures.glob("*.json") if json.loads(file.read_bytes())["requests"]]
    assert len(busy) == 2, "both workers must have served requests"


def _status(service: Service, key: str) -> int:
    """Status of a request on a new connection, which any worker may accept."""
    request = head(b"GET", f"/v1/music/{HOME}/collections".encode(), b"X-API-Key: " + key.encode())
    return raw(service, request).status_code


@pytest.mark.slow
def test_redis_outage_fails_open_and_recovers(services: Services, server: Service, redis: RedisServer) -> None:
    limited = services.start(server.database_url, RATE_LIMIT="3/day", RATE_LIMIT_STORAGE=redis.url)
    client = limited.client(server.key(ALICE)[1])
    assert [client.get("collections").status_code for _ in range(4)] == [200, 200, 200, 429]
    redis.stop()
    assert [client.get("collections").status_code for _ in range(3)] == [200, 200, 200]
    text = limited.await_log(UNAVAILABLE)
    assert (text.count(UNAVAILABLE), text.count(AVAILABLE)) == (1, 0)
    redis.start()
    _wait_for(limited, AVAILABLE)
    second = limited.client(server.key(ALICE)[1])
    assert [second.get("collections").status_code for _ in range(4)] == [200, 200, 200, 429]
    text = limited.await_log(AVAILABLE)
    assert (text.count(UNAVAILABLE), text.count(AVAILABLE)) == (1, 1)


@pytest.mark.slow
def test_frozen_redis_fails_open(services: Services, server: Service, redis: RedisServer) -> None:
    limited = services.start(server.database_url, RATE_LIMIT="100/day", RATE_LIMIT_STORAGE=redis.url)
    client = limited.client(server.key(ALICE)[1])
    assert client.get("collections").status_code == 200
    redis.freeze()
    assert at_once(8, lambda _: client.get("collections").status_code) == [200] * 8
    assert limited.await_log(UNAVAILABLE).count(UNAVAILABLE) == 1


def _wait_for(service: Service, text: str) -> None:
    client = service.client(service.key("user_patient")[1])
    deadline = time.monotonic() + 15
    while text not in service.log_text():
        assert time.monotonic() < deadline, f"not in the log: {text}"
        client.get("collections")
        time.sleep(0.2)


def _state(response: httpx.Response) -> tuple[int, int]:
    """Remaining requests and seconds from the RateLimit header."""
    found = re.fullmatch('"[a-z]+";r=([0-9]+);t=([0-9]+)', response.headers["RateLimit"])
    assert found, response.headers["RateLimit"]
    return int(found[1]), int(found[2])
