"""What is as large as the contract allows is taken, stored and given back."""

import secrets
from typing import Any

import httpx
import pytest
from limits import parse

from models.base import new_id, now
from models.schema import collections
from tools.testing.service import HOME, ON_ONE_DATABASE, Service, assert_envelope, new_collection
from web.contract import document as contract

MAX_BODY_BYTES: dict[str, str] = {
    "name": "ü" * 512,
    "description": "\U0001f3b5" * 4096,
    "cover_image_url": "https://a/" + "b" * 1014,
}


def test_the_largest_collection_comes_back_as_it_was_sent(alice: httpx.Client) -> None:
    made = new_collection(alice, **MAX_BODY_BYTES)
    assert {field: made[field] for field in MAX_BODY_BYTES} == MAX_BODY_BYTES
    assert alice.get(f"collections/{made['id']}").json() == made


@pytest.mark.parametrize("field", MAX_BODY_BYTES)
def test_one_character_more_is_refused(alice: httpx.Client, field: str) -> None:
    response = alice.post("collections", json={"name": "a"} | {field: MAX_BODY_BYTES[field] + "b"})
    assert response.status_code == 422
    [violation] = response.json()["error"]["details"]["errors"]
    assert (violation["pointer"], violation["code"]) == (f"/{field}", "maxLength")


def test_a_full_collection_says_how_full_it_is(server: Service, alice: httpx.Client) -> None:
    made = new_collection(alice)
    server.alter(made["id"], track_count=10_000)
    assert alice.get(f"collections/{made['id']}").json()["track_count"] == 10_000


@ON_ONE_DATABASE
def test_the_longest_pages_are_whole(server: Service, alice: httpx.Client) -> None:
    owner = f"user_{secrets.token_hex(4)}"
    client = server.client(server.key(owner)[1])
    server.write(collections, [_row(owner) for _ in range(101)])
    page = client.get("collections", params={"limit": 100}).json()
    assert (len(page["items"]), page["limit"]) == (100, 100)
    made = new_collection(alice)
    server.fill(made["id"], server.make_tracks(501))
    tracks = alice.get(f"collections/{made['id']}/tracks", params={"limit": 500}).json()
    assert (len(tracks["items"]), tracks["limit"]) == (500, 500)
    last = alice.get(f"collections/{made['id']}/tracks", params={"limit": 1, "offset": 500}).json()
    assert [item["position"] for item in last["items"]] == [500]


@pytest.mark.parametrize(("path", "most"), [("collections", 100), ("collections/{id}/tracks", 500)])
def test_a_limit_has_its_bounds_and_its_default(alice: httpx.Client, path: str, most: int) -> None:
    path = path.format(id=new_collection(alice)["id"])
    for limit, status in ((0, 422), (1, 200), (most, 200), (most + 1, 422)):
        assert alice.get(path, params={"limit": limit}).status_code == status
    for offset, status in ((-1, 422), (0, 200), (2_147_483_647, 200), (2_147_483_648, 422)):
        assert alice.get(path, params={"offset": offset}).status_code == status
    shown = alice.get(path).json()
    assert (shown["limit"], shown["offset"]) == ({100: 50, 500: 200}[most], 0)


def _row(owner: str) -> dict[str, Any]:
    return {
        "organization_id": HOME, "id": new_id("mcoll_"), "owner_id": owner, "name": "One of many", "track_count": 0,
        "version": 1, "created_at": now(), "updated_at": now(),
    }  # fmt: skip


def test_the_longest_request_id_comes_back_with_an_error(alice: httpx.Client) -> None:
    longest = "r" * 64
    error = assert_envelope(
        alice.get("collections/mcoll_000000000000", headers={"X-Request-ID": longest}), "RESOURCE_NOT_FOUND"
    )
    assert error["trace_id"] == f"req_{longest}"


def test_every_wait_for_a_quota_fits_into_the_contract() -> None:
    error = contract.document()["components"]["schemas"]["ErrorBody"]["properties"]
    wait = error["details"]["properties"]["retry_after"]
    longest = parse("1/day").get_expiry()
    assert (wait["minimum"], wait["maximum"]) == (0, longest), "a day is the longest window there is"
