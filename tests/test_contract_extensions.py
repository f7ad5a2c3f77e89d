"""Extensions of the contract (deprecation, idempotency, preconditions, Server-Timing) control the server."""

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
DEPRECATION_HEADERS = ("Deprecation", "Sunset", "Link")


@pytest.fixture(scope="module")
def client(services: Services, tmp_path_factory: pytest.TempPathFactory) -> httpx.Client:
    """Alice, on a server with a modified contract."""
    file = tmp_path_factory.mktemp("contract") / "contract.json"
    file.write_text(json.dumps(_modified(contract.document())), encoding="utf-8")
    url = services.actors("sqlite").service.database_url
    started = services.start(url, CONTRACT=str(file))
    return started.client(started.key(ALICE)[1])


def _modified(document: dict[str, Any]) -> dict[str, Any]:
    other = copy.deepcopy(document)
    other["paths"][COLLECTION]["get"] |= {
        "deprecated": True,
        "x-sunset": "2027-06-30",
        "x-deprecation": {"since": "2026-12-01", "link": "https://example.org/changes", "successor": "/v2/collections"},
    }
    other["paths"][COLLECTION]["delete"] |= {"deprecated": True, "x-sunset": "2027-06-30"}
    _remove_header(other["paths"][COLLECTIONS]["post"], "Idempotency-Key")
    _remove_header(other["paths"][COLLECTION]["get"], "If-None-Match")
    del other["paths"][COLLECTION]["get"]["responses"]["304"]
    return other


def _remove_header(operation: dict[str, Any], header: str) -> None:
    document = contract.document()
    operation["parameters"] = [p for p in operation["parameters"] if contract.lookup(document, p)["name"] != header]


def test_deprecated_operation_sends_deprecation_headers_on_every_response(client: httpx.Client) -> None:
    made = new_collection(client)["id"]
    stranger = httpx.get(f"{client.base_url}collections/{made}", trust_env=False)
    responses = [
        client.get(f"collections/{made}"),
        client.head(f"collections/{made}"),
        client.get("collections/mcoll_000000000000"),
        client.get(f"collections/{made}?colour=red"),
        stranger,
    ]
    assert [response.status_code for response in responses] == [200, 200, 404, 422, 401]
    for response in responses:
        assert response.headers["Deprecation"] == "@1796083200"  # 2026-12-01
        assert response.headers["Sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
        assert response.headers["Link"].endswith(
            '<https://example.org/changes>; rel="deprecation", </v2/collections>; rel="successor-version"'
        )
        assert len(response.headers.get_list("Link")) == 1
        assert ('rel="help"' in response.headers["Link"]) == response.is_error


def test_deprecation_without_a_date_still_sends_headers(client: httpx.Client) -> None:
    response = client.delete(f"collections/{new_collection(client)['id']}")
    assert response.headers["Deprecation"].startswith("@17")
    assert response.headers["Sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
    assert "Link" not in response.headers


def test_operation_without_deprecation_sends_no_deprecation_headers(client: httpx.Client) -> None:
    assert not set(DEPRECATION_HEADERS) & set(client.get("collections").headers)


def test_idempotency_applies_only_where_the_contract_has_the_header(services: Services, client: httpx.Client) -> None:
    service = services.actors("sqlite").service
    unmodified = service.client(service.key(ALICE)[1])
    for who, same in ((unmodified, True), (client, False)):
        headers = {"Idempotency-Key": "the-same-key-for-both"}
        first, second = (who.post("collections", json={"name": "a"}, headers=headers) for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 201)
        assert (first.json()["id"] == second.json()["id"]) is same


def test_precondition_applies_only_where_the_contract_has_the_header(services: Services, client: httpx.Client) -> None:
    service = services.actors("sqlite").service
    unmodified = service.client(service.key(ALICE)[1])
    made = new_collection(client)["id"]
    known = {"If-None-Match": "*"}
    assert unmodified.get(f"collections/{made}", headers=known).status_code == 304
    assert client.get(f"collections/{made}", headers=known).status_code == 200


@pytest.mark.slow
def test_server_timing_is_sent_when_preferred(services: Services) -> None:
    service = services.actors("sqlite").service
    timed = services.variant(service, SERVER_TIMING="on")
    alice = timed.client(service.key(ALICE)[1])
    prefer = {"Prefer": "respond-async, Server-Timing"}
    schema = contract.document()["components"]["headers"]["Server-Timing"]["schema"]
    value = alice.get("collections", headers=prefer).headers["Server-Timing"]
    assert Validator(schema, contract.document()).is_valid(value), value
    assert "Server-Timing" not in alice.get("collections").headers
    assert "Server-Timing" not in alice.get("collections/mcoll_000000000000", headers=prefer).headers
    assert "Server-Timing" not in timed.client().get("collections", headers=prefer).headers
    assert "Server-Timing" not in timed.client().get(f"{timed.url}/v1/health/live", headers=prefer).headers
    untimed = service.client(alice.headers["X-API-Key"])
    assert "Server-Timing" not in untimed.get("collections", headers=prefer).headers
