"""Maximum sizes of the contract: accepted at the limit, invalid above it."""

import secrets
from typing import Any

import httpx
import pytest
from limits import parse

from models.base import new_id, now
from models.schema import collections
from tools.testing.service import HOME, ON_ONE_DATABASE, Service, assert_envelope, new_collection
from web.contract import document as contract
from web.contract.schemas import Validator
from web.error_envelope import MAX_TEXT_LENGTH
from web.http.request_body import MAX_BODY_BYTES

LONGEST_VALUES: dict[str, str] = {
    "name": "ü" * 512,
    "description": "\U0001f3b5" * 4096,
    "cover_image_url": "https://a/" + "b" * 1014,
}


def test_collection_with_maximum_field_lengths_round_trips(alice: httpx.Client) -> None:
    made = new_collection(alice, **LONGEST_VALUES)
    assert {field: made[field] for field in LONGEST_VALUES} == LONGEST_VALUES
    assert alice.get(f"collections/{made['id']}").json() == made


@pytest.mark.parametrize("field", LONGEST_VALUES)
def test_one_character_over_the_maximum_is_invalid(alice: httpx.Client, field: str) -> None:
    response = alice.post("collections", json={"name": "a"} | {field: LONGEST_VALUES[field] + "b"})
    assert response.status_code == 422
    [violation] = response.json()["error"]["details"]["errors"]
    assert (violation["pointer"], violation["code"]) == (f"/{field}", "maxLength")


def test_full_collection_shows_track_count_10000(server: Service, alice: httpx.Client) -> None:
    made = new_collection(alice)
    server.alter(made["id"], track_count=10_000)
    assert alice.get(f"collections/{made['id']}").json()["track_count"] == 10_000


@ON_ONE_DATABASE
def test_maximum_page_sizes_are_returned(server: Service, alice: httpx.Client) -> None:
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
def test_limit_and_offset_have_bounds_and_defaults(alice: httpx.Client, path: str, most: int) -> None:
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


def test_request_id_of_64_characters_is_returned(alice: httpx.Client) -> None:
    longest = "r" * 64
    error = assert_envelope(
        alice.get("collections/mcoll_000000000000", headers={"X-Request-ID": longest}), "RESOURCE_NOT_FOUND"
    )
    assert error["trace_id"] == f"req_{longest}"


def test_retry_after_bounds_cover_the_longest_window() -> None:
    details = contract.document()["components"]["schemas"]["ErrorDetails"]["properties"]
    wait = details["retry_after"]
    longest = parse("1/day").get_expiry()
    assert (wait["minimum"], wait["maximum"]) == (0, longest), "a day is the longest window"


def test_bounds_of_error_details_are_those_of_what_is_sent() -> None:
    details = contract.document()["components"]["schemas"]["ErrorDetails"]["properties"]
    for size in ("position", "limit"):
        assert (details[size]["minimum"], details[size]["maximum"]) == (0, MAX_BODY_BYTES), size
    for name in ("organization_id", "collection_id", "track_id", "field"):
        assert details[name]["maxLength"] == MAX_TEXT_LENGTH, name
        rule = Validator(details[name], contract.document())
        assert rule.is_valid("a" * MAX_TEXT_LENGTH)
        assert not rule.is_valid("a\nb"), name
