"""Security requirements of the contract decide which credentials are read, and which of them suffice."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from models.access import Caller
from settings import Settings
from tools.testing.served_contract import Handlers, ServedContract, operation, response, served
from tools.testing.service import ALICE, BOB, READ, WRITE, assert_envelope

KEY, BEARER, QUERY, OAUTH = "StudioKey", "Token", "QueryKey", "OAuth"
SCHEMES = {
    KEY: {"type": "apiKey", "in": "header", "name": "X-Studio-Key"},
    BEARER: {"type": "http", "scheme": "bearer"},
    QUERY: {"type": "apiKey", "in": "query", "name": "api_key"},
    OAUTH: {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://id.example/", "scopes": {}}}},
}
HEADERS = {"key": "X-Studio-Key", "wrong": "X-API-Key"}
REQUIREMENTS: dict[str, list[dict[str, list[str]]]] = {
    "header": [{KEY: []}],
    "query": [{QUERY: []}],
    "bearer": [{BEARER: []}],
    "either": [{KEY: []}, {BEARER: []}],
    "both": [{KEY: [], BEARER: []}],
    "optional": [{}, {KEY: []}],
    "scoped": [{OAUTH: [READ]}],
    "admin": [{OAUTH: ["music:admin"]}],
    "admin_or_key": [{OAUTH: ["music:admin"]}, {KEY: []}],
}


def who(caller: Caller | None) -> Any:
    return caller and caller.user_id


@pytest.fixture(scope="module")
def service() -> Iterator[ServedContract]:
    seen = {"type": "string", "nullable": True}
    paths = {
        f"/{name}": {"get": operation(name, {"200": response(seen)}, security=listed)}
        for name, listed in REQUIREMENTS.items()
    }
    handlers: Handlers = dict.fromkeys(REQUIREMENTS, who)
    settings = Settings(rate_limit="off", cors_origins=("https://app.example",))
    with served(paths, handlers, settings=settings, securitySchemes=SCHEMES) as running:
        del running.client.headers["X-API-Key"]
        yield running


def _sent(service: ServedContract, places: str, key: str, other: str | None = None) -> dict[str, Any]:
    """The arguments of a request with a key in each of the places; the last one has the other key."""
    secrets = dict.fromkeys(places.split(), key)
    if other is not None:
        secrets[places.rsplit(maxsplit=1)[-1]] = other
    headers = {
        name: secrets[place] for place, name in (("key", "X-Studio-Key"), ("wrong", "X-API-Key")) if place in secrets
    }
    if "bearer" in secrets:
        headers["Authorization"] = f"Bearer {secrets['bearer']}"
    return {"headers": headers, "params": {"api_key": secrets["query"]} if "query" in secrets else {}}


@pytest.mark.parametrize(
    ("path", "sufficient", "insufficient"),
    [
        ("header", ["key", "key bearer", "key query", "key wrong"], ["", "bearer", "query", "wrong"]),
        ("query", ["query", "query key"], ["", "key", "bearer", "wrong"]),
        ("bearer", ["bearer", "bearer key"], ["", "key", "query", "wrong"]),
        ("either", ["key", "bearer", "key bearer"], ["", "query", "wrong"]),
        ("both", ["key bearer"], ["", "key", "bearer", "query", "key query"]),
        ("optional", ["key", "bearer", "query"], []),
        ("scoped", ["bearer"], ["", "key"]),
        ("admin_or_key", ["key", "key bearer"], [""]),
    ],
)
def test_requirement_is_met_by_its_credentials_only(
    service: ServedContract, path: str, sufficient: list[str], insufficient: list[str]
) -> None:
    key = service.key()
    for places in sufficient:
        found = service.client.get(f"/{path}", **_sent(service, places, key))
        assert (found.status_code, found.json()) == (200, ALICE), (places, found.text)
    for places in insufficient:
        assert_envelope(service.client.get(f"/{path}", **_sent(service, places, key)), "AUTHENTICATION_REQUIRED")


@pytest.mark.parametrize("path", REQUIREMENTS)
def test_every_credential_that_is_sent_must_be_valid(service: ServedContract, path: str) -> None:
    for other in ("msk_unknown", service.key(BOB)):
        for places in ("key bearer", "key bearer query"):
            found = service.client.get(f"/{path}", **_sent(service, places, service.key(), other))
            assert_envelope(found, "AUTHENTICATION_REQUIRED")


def test_optional_security_takes_no_credential_and_no_invalid_one(service: ServedContract) -> None:
    assert service.client.get("/optional").json() is None
    found = service.client.get("/optional", headers={"X-Studio-Key": "msk_unknown"})
    assert_envelope(found, "AUTHENTICATION_REQUIRED")


def test_scopes_of_a_requirement_are_required(service: ServedContract) -> None:
    reads, writes = service.key(scopes=(READ,)), service.key(scopes=(WRITE,))
    assert service.client.get("/scoped", headers={"Authorization": f"Bearer {reads}"}).status_code == 200
    missing = service.client.get("/scoped", headers={"Authorization": f"Bearer {writes}"})
    assert_envelope(missing, "INSUFFICIENT_PERMISSIONS")
    assert missing.json()["error"]["details"] == {"scope": READ}
    for path in ("admin", "admin_or_key"):
        found = service.client.get(f"/{path}", headers={"Authorization": f"Bearer {reads}"})
        assert_envelope(found, "INSUFFICIENT_PERMISSIONS")


def test_repeated_credential_is_malformed(service: ServedContract) -> None:
    key = service.key()
    twice = service.client.get("/header", headers=[("X-Studio-Key", key), ("X-Studio-Key", key)])
    assert_envelope(twice, "MALFORMED_REQUEST")
    assert_envelope(service.client.get(f"/query?api_key={key}&api_key={key}"), "MALFORMED_REQUEST")


def test_challenge_names_the_places_of_the_schemes(service: ServedContract) -> None:
    found: httpx.Response = service.client.get("/both")
    assert found.headers["WWW-Authenticate"] == (
        'Bearer realm="music-studio", ApiKey realm="music-studio", header="X-API-Key", '
        'ApiKey realm="music-studio", header="X-Studio-Key", ApiKey realm="music-studio", query="api_key"'
    )


def test_browsers_may_send_the_headers_of_the_schemes(service: ServedContract) -> None:
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    found = service.client.options("/header", headers=asked)
    allowed = found.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"Authorization", "X-API-Key", "X-Studio-Key"} <= set(allowed)


@pytest.mark.parametrize("places", ["key", ""])
def test_vary_names_the_headers_of_the_credentials(service: ServedContract, places: str) -> None:
    found = service.client.get("/header", **_sent(service, places, service.key()))
    assert found.headers["vary"] == "Accept, Authorization, Origin, X-API-Key, X-Studio-Key"
