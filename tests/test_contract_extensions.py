"""What the contract says of an operation, the server does: tried with contracts that say something else."""

import copy
import json
from typing import Any

import httpx
import pytest

from tools.testing.service import ALICE, Services, new_collection
from web.contract import document as contract
from web.contract.schemas import Validator

COLLECTIONS = "/music/{organization_id}/collections"
COLLECTION = COLLECTIONS + "/{collection_id}"
FAREWELL = ("Deprecation", "Sunset", "Link")


@pytest.fixture(scope="module")
def client(services: Services, tmp_path_factory: pytest.TempPathFactory) -> httpx.Client:
    """Alice, on a server whose contract is another one."""
    file = tmp_path_factory.mktemp("contract") / "contract.json"
    file.write_text(json.dumps(_other(contract.document())), encoding="utf-8")
    url = services.actors("sqlite").service.database_url
    started = services.start(url, CONTRACT=str(file))
    return started.client(started.key(ALICE)[1])


def _other(document: dict[str, Any]) -> dict[str, Any]:
    other = copy.deepcopy(document)
    other["paths"][COLLECTION]["get"] |= {
        "deprecated": True,
        "x-sunset": "2027-06-30",
        "x-deprecation": {"since": "2026-12-01", "link": "https://example.org/changes", "successor": "/v2/collections"},
    }
    other["paths"][COLLECTION]["delete"] |= {"deprecated": True, "x-sunset": "2027-06-30"}
    _drop(other["paths"][COLLECTIONS]["post"], "Idempotency-Key")
    _drop(other["paths"][COLLECTION]["get"], "If-None-Match")
    return other


def _drop(operation: dict[str, Any], header: str) -> None:
    document = contract.document()
    operation["parameters"] = [p for p in operation["parameters"] if contract.lookup(document, p)["name"] != header]


def test_a_deprecated_operation_says_so_on_every_answer(client: httpx.Client) -> None:
    made = new_collection(client)["id"]
    stranger = httpx.get(f"{client.base_url}collections/{made}", trust_env=False)
    answers = [
        client.get(f"collections/{made}"),
        client.head(f"collections/{made}"),
        client.get("collections/mcoll_000000000000"),
        client.get(f"collections/{made}?colour=red"),
        stranger,
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 422, 401]
    for answer in answers:
        assert answer.headers["Deprecation"] == "@1796083200"  # 2026-12-01
        assert answer.headers["Sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
        assert answer.headers["Link"] == (
            '<https://example.org/changes>; rel="deprecation", </v2/collections>; rel="successor-version"'
        )


def test_a_deprecation_without_a_date_is_told_all_the_same(client: httpx.Client) -> None:
    answer = client.delete(f"collections/{new_collection(client)['id']}")
    assert answer.headers["Deprecation"].startswith("@17")
    assert answer.headers["Sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
    assert "Link" not in answer.headers


def test_an_operation_that_stays_says_nothing_of_the_kind(client: httpx.Client) -> None:
    assert not set(FAREWELL) & set(client.get("collections").headers)


def test_idempotency_is_where_the_contract_has_its_header(services: Services, client: httpx.Client) -> None:
    service = services.actors("sqlite").service
    usual = service.client(service.key(ALICE)[1])
    for who, same in ((usual, True), (client, False)):
        headers = {"Idempotency-Key": "the-same-key-for-both"}
        first, second = (who.post("collections", json={"name": "a"}, headers=headers) for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 201)
        assert (first.json()["id"] == second.json()["id"]) is same


def test_a_precondition_is_where_the_contract_has_its_header(services: Services, client: httpx.Client) -> None:
    service = services.actors("sqlite").service
    usual = service.client(service.key(ALICE)[1])
    made = new_collection(client)["id"]
    known = {"If-None-Match": "*"}
    assert usual.get(f"collections/{made}", headers=known).status_code == 304
    assert client.get(f"collections/{made}", headers=known).status_code == 200


@pytest.mark.slow
def test_the_time_is_told_to_callers_who_prefer_it(services: Services) -> None:
    service = services.actors("sqlite").service
    timed = services.variant(service, SERVER_TIMING="on")
    alice = timed.client(service.key(ALICE)[1])
    wish = {"Prefer": "respond-async, Server-Timing"}
    schema = contract.document()["components"]["headers"]["Server-Timing"]["schema"]
    told = alice.get("collections", headers=wish).headers["Server-Timing"]
    assert Validator(schema, contract.document()).is_valid(told), told
    assert "Server-Timing" not in alice.get("collections").headers
    assert "Server-Timing" not in alice.get("collections/mcoll_000000000000", headers=wish).headers
    assert "Server-Timing" not in timed.client().get("collections", headers=wish).headers
    assert "Server-Timing" not in timed.client().get(f"{timed.url}/v1/health/live", headers=wish).headers
    untimed = service.client(alice.headers["X-API-Key"])
    assert "Server-Timing" not in untimed.get("collections", headers=wish).headers
