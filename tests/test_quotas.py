"""Quotas: of a credential and of an address, told on every answer, and shared by all workers where there is a store."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.testing.cases import head
from tools.testing.redis_server import Store
from tools.testing.service import ALICE, HOME, READ, Service, Services, assert_envelope, at_once, new_collection, raw
from web.contract import document as contract
from web.contract.schemas import Validator

# For windows that no test may see the end of.
DAY = "day"
FIELDS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit", "RateLimit-Policy")
AWAY, BACK = "rate limit store unavailable, counting per worker", "rate limit store available again"
DECLARED = contract.document()["x-rate-limits"]


@pytest.fixture(scope="module")
def database_url(services: Services) -> str:
    return services.actors("sqlite").service.database_url


@pytest.fixture
def server(services: Services) -> Service:
    """The one that knows no quotas; what the database holds has no part in them."""
    return services.actors("sqlite").service


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    started = Store(tmp_path)
    try:
        yield started
    finally:
        started.stop()


def test_the_quotas_of_the_contract_are_in_force(services: Services, server: Service) -> None:
    limited = services.variant(server, RATE_LIMIT="")
    mine = limited.client(server.key(ALICE)[1]).get("collections")
    nobodys = limited.client("nonsense").get("collections")
    health, elsewhere = (limited.client().get(limited.url + path) for path in ("/v1/health/live", "/v1/nothing"))
    for name, answer in (("default", mine), ("refusals", nobodys), ("probes", health), ("address", elsewhere)):
        requests, seconds = DECLARED[name]["requests"], DECLARED[name]["seconds"]
        assert answer.headers["RateLimit-Policy"] == f'"{name}";q={requests};w={seconds}'
        assert answer.headers["X-RateLimit-Limit"] == str(requests)


def test_a_quota_is_told_and_kept(services: Services, server: Service) -> None:
    limited = services.start(server.database_url, RATE_LIMIT="3/day")
    client, other = (limited.client(server.key(ALICE)[1]) for _ in range(2))
    answers = [client.get("collections") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
    for answer in answers:
        assert answer.headers["X-RateLimit-Limit"] == "3"
        assert answer.headers["RateLimit-Policy"] == '"default";q=3;w=86400'
        left, seconds = _state(answer)
        assert str(left) == answer.headers["X-RateLimit-Remaining"]
        assert abs(int(answer.headers["X-RateLimit-Reset"]) - time.time() - seconds) < 60
    assert assert_envelope(answers[-1], "RATE_LIMIT_EXCEEDED")["details"] == {
        "retry_after": int(answers[-1].headers["Retry-After"])
    }
    assert other.get("collections").status_code == 200, "one key's quota is not another's"
    assert client.get(f"{limited.url}/v1/health/live").status_code == 200, "health is asked for by machines"


def test_a_key_can_have_a_quota_of_its_own(services: Services, server: Service) -> None:
    limited = services.variant(server, RATE_LIMIT="1/day")
    few, many, usual = (limited.client(server.key(ALICE, rate_limit=own)[1]) for own in ("2/day", "off", None))
    assert [few.get("collections").status_code for _ in range(3)] == [200, 200, 429]
    assert [many.get("collections").status_code for _ in range(3)] == [200, 200, 200]
    assert [usual.get("collections").status_code for _ in range(2)] == [200, 429]
    assert few.get("collections").headers["RateLimit-Policy"] == '"default";q=2;w=86400'


@pytest.mark.slow
def test_who_waits_as_long_as_told_is_let_in(services: Services, server: Service) -> None:
    limited = services.start(server.database_url, RATE_LIMIT="2/second")
    client = limited.client(server.key(ALICE)[1])
    refused = next(answer for answer in _forever(client) if answer.status_code == 429)
    wait = int(refused.headers["Retry-After"])
    assert wait >= _state(refused)[1]
    time.sleep(wait)
    assert client.get("collections").status_code == 200


def _forever(client: httpx.Client) -> Iterator[httpx.Response]:
    while True:
        yield client.get("collections")


def test_guessing_keys_has_a_quota_of_its_own(services: Services, server: Service) -> None:
    limited = services.start(server.database_url, RATE_LIMIT="", RATE_LIMIT_REFUSALS="3/day")
    good = limited.client(server.key(ALICE)[1])
    answers = [limited.client("nonsense").get("collections").status_code for _ in range(5)]
    assert answers == [401, 401, 401, 429, 429]
    assert good.get("collections").status_code == 200, "a good key from the same address still works"


def test_an_address_has_a_quota_before_its_credential_is_looked_at(services: Services, server: Service) -> None:
    limited = services.start(
        server.database_url, RATE_LIMIT="", RATE_LIMIT_ADDRESS="3/day", TRUSTED_PROXIES="127.0.0.1"
    )
    good = limited.client(server.key(ALICE)[1])
    for _ in range(3):
        assert good.get("collections", headers={"X-Forwarded-For": "203.0.113.5"}).status_code == 200
    # What the client itself wrote stands on the left, and whoever lies there gets no new quota.
    refused = good.get("collections", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.5"})
    assert_envelope(refused, "RATE_LIMIT_EXCEEDED")
    assert refused.headers["RateLimit-Policy"] == '"address";q=3;w=86400'
    guess = limited.client("nonsense").get("collections", headers={"X-Forwarded-For": "203.0.113.5"})
    assert_envelope(guess, "RATE_LIMIT_EXCEEDED")
    assert good.get("collections", headers={"X-Forwarded-For": "203.0.113.6"}).status_code == 200
    network = [good.get("collections", headers={"X-Forwarded-For": f"2001:db8::{n}"}).status_code for n in range(4)]
    assert network == [200, 200, 200, 429], "a customer has 64 bits of IPv6 addresses"


def test_a_stranger_is_not_believed_who_it_forwards_for(services: Services, server: Service) -> None:
    limited = services.start(server.database_url, RATE_LIMIT="", RATE_LIMIT_ADDRESS="3/day")
    client = limited.client()
    answers = [
        client.get(f"{limited.url}/v1/openapi.json", headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(5)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert limited.log_text().count("MUSIC_STUDIO_TRUSTED_PROXIES") == 1


def test_every_answer_tells_its_quota(services: Services, server: Service) -> None:
    limited = services.variant(server, RATE_LIMIT="")
    alice = limited.client(server.key(ALICE)[1])
    made = new_collection(alice)["id"]
    tag = alice.get(f"collections/{made}").headers["ETag"]
    reader = limited.client(server.key(ALICE, scopes=[READ])[1])
    answers = {
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
    answers[408] = raw(limited, b"NONSENSE\r\n\r\n")
    page = alice.get(f"{limited.url}/docs")
    assert page.status_code == 200
    for status, answer in [*answers.items(), (200, page)]:
        assert answer is not None
        assert answer.status_code == (400 if status == 408 else status)
        for field in FIELDS:
            _assert_documented(field, answer)


def _assert_documented(field: str, answer: httpx.Response) -> None:
    document = contract.document()
    schema = document["components"]["headers"][field]["schema"]
    value: Any = answer.headers[field]
    assert Validator(schema, document).is_valid(int(value) if schema["type"] == "integer" else value), (field, value)


def test_without_quotas_nothing_is_told_of_any(server: Service) -> None:
    names = {name.lower() for name in server.client(server.key(ALICE)[1]).get("collections").headers}
    assert not {name for name in names if "ratelimit" in name}


def test_an_operation_has_the_quota_that_its_contract_names(
    services: Services, server: Service, tmp_path: Path
) -> None:
    other = json.loads(json.dumps(contract.document()))
    other["x-rate-limits"]["seldom"] = {"per": "credential", "requests": 2, "seconds": 86_400, "description": "Few."}
    other["paths"]["/music/{organization_id}/collections"]["get"]["x-rate-limit"] = "seldom"
    limited = services.start(server.database_url, CONTRACT=_written(other, tmp_path), RATE_LIMIT="")
    client = limited.client(server.key(ALICE)[1])
    answers = [client.get("collections") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"seldom";q=2;w=86400'
    new_collection(client)


def _written(document: dict[str, Any], folder: Path) -> str:
    file = folder / "contract.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return str(file)


@pytest.mark.slow
def test_two_workers_share_one_quota(services: Services, server: Service, store: Store, tmp_path: Path) -> None:
    quota, figures = 60, tmp_path / "figures"
    figures.mkdir()
    limited = services.start(
        server.database_url, WORKERS="2", RATE_LIMIT=f"{quota}/{DAY}", RATE_LIMIT_STORAGE=store.url,
        METRICS_DIR=str(figures),
    )  # fmt: skip
    key = server.key(ALICE)[1]
    rounds = at_once(24, lambda _: [_asked(limited, key) for _ in range(2 * quota // 24)])
    statuses = [status for several in rounds for status in several]
    assert abs(statuses.count(200) - quota) <= 1
    assert set(statuses) == {200, 429}
    time.sleep(1.5)
    busy = [file for file in figures.glob("*.json") if json.loads(file.read_bytes())["requests"]]
    assert len(busy) == 2, "only one worker was asked, so nothing is proved"


def _asked(service: Service, key: str) -> int:
    """Status of a request on a connection of its own, so that any worker may get it."""
    request = head(b"GET", f"/v1/music/{HOME}/collections".encode(), b"X-API-Key: " + key.encode())
    return raw(service, request).status_code


@pytest.mark.slow
def test_a_store_that_goes_away_refuses_nobody_and_counts_again_when_it_is_back(
    services: Services, server: Service, store: Store
) -> None:
    limited = services.start(server.database_url, RATE_LIMIT="3/day", RATE_LIMIT_STORAGE=store.url)
    client = limited.client(server.key(ALICE)[1])
    assert [client.get("collections").status_code for _ in range(4)] == [200, 200, 200, 429]
    store.stop()
    assert [client.get("collections").status_code for _ in range(3)] == [200, 200, 200]
    assert (limited.log_text().count(AWAY), limited.log_text().count(BACK)) == (1, 0)
    store.start()
    _wait_for(limited, BACK)
    second = limited.client(server.key(ALICE)[1])
    assert [second.get("collections").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert (limited.log_text().count(AWAY), limited.log_text().count(BACK)) == (1, 1)


@pytest.mark.slow
def test_a_store_that_answers_nothing_refuses_nobody(services: Services, server: Service, store: Store) -> None:
    limited = services.start(server.database_url, RATE_LIMIT="100/day", RATE_LIMIT_STORAGE=store.url)
    client = limited.client(server.key(ALICE)[1])
    assert client.get("collections").status_code == 200
    store.freeze()
    assert at_once(8, lambda _: client.get("collections").status_code) == [200] * 8
    assert limited.log_text().count(AWAY) == 1


def _wait_for(service: Service, text: str) -> None:
    client = service.client(service.key("user_patient")[1])
    deadline = time.monotonic() + 15
    while text not in service.log_text():
        assert time.monotonic() < deadline, f"the log never said: {text}"
        client.get("collections")
        time.sleep(0.2)


def _state(answer: httpx.Response) -> tuple[int, int]:
    """What is left, and for how many seconds, as RateLimit says it."""
    found = re.fullmatch('"[a-z]+";r=([0-9]+);t=([0-9]+)', answer.headers["RateLimit"])
    assert found, answer.headers["RateLimit"]
    return int(found[1]), int(found[2])
