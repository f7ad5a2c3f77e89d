"""Idempotency-Key: a repeated request takes effect once, and its response is replayed."""

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from models import collections
from models.access import Caller
from tools.testing import served_contract as small
from tools.testing.service import (
    ALICE,
    BOB,
    HOME,
    NO_TRACK,
    ON_DATABASES,
    Service,
    Services,
    assert_envelope,
    at_once,
    new_collection,
    operations,
    order_of,
    violations,
)
from tools.testing.small_service import parameter
from web.responses import StreamedBody

OPERATIONS_WITH_KEY = {
    "create_collection", "update_collection", "delete_collection", "add_collection_track", "remove_collection_track",
    "reorder_collection",
}  # fmt: skip
# Headers that differ in a replay.
REPLAY_SPECIFIC = {"x-request-id", "date", "idempotent-replayed"}


@pytest.fixture
def key() -> str:
    return secrets.token_hex(16)


def create(client: httpx.Client, key: str, name: str = "Once", **headers: str) -> httpx.Response:
    return client.post("collections", json={"name": name}, headers={"Idempotency-Key": key} | headers)


def add(client: httpx.Client, key: str, collection_id: str, track_id: str) -> httpx.Response:
    path = f"collections/{collection_id}/tracks"
    return client.post(path, json={"track_id": track_id}, headers={"Idempotency-Key": key})


def count(client: httpx.Client) -> int:
    return len(client.get("collections", params={"limit": 100}).json()["items"])


def test_every_operation_with_idempotency_key_is_tested_here() -> None:
    keyed = [operation for operation in operations() if "Idempotency-Key" in operation.parameter_names("header")]
    found = {operation.id for operation in keyed if not operation.has_own_idempotency}
    assert found == OPERATIONS_WITH_KEY, (
        "An operation that takes an Idempotency-Key needs its tests in test_idempotency.py."
    )


def test_repeated_create_replays_the_first_response(newcomer: httpx.Client, key: str) -> None:
    first, *again = [create(newcomer, key) for _ in range(3)]
    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first.headers
    for replay in again:
        assert (replay.status_code, replay.content, _comparable_headers(replay)) == (
            201,
            first.content,
            _comparable_headers(first),
        )
        assert replay.headers["Idempotent-Replayed"] == "true"
        assert replay.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert count(newcomer) == 1


def test_repeated_add_replays_the_first_response(
    alice: httpx.Client, collection: dict[str, Any], tracks: list[str], key: str
) -> None:
    first = add(alice, key, collection["id"], tracks[0])
    alice.delete(f"collections/{collection['id']}/tracks/{tracks[0]}")
    replay = add(alice, key, collection["id"], tracks[0])
    assert (replay.status_code, replay.content) == (first.status_code, first.content)
    assert replay.headers["Idempotent-Replayed"] == "true"
    assert order_of(alice, collection["id"]) == [], "a replay has no second effect"


def test_conditional_changes_are_replayed_instead_of_412(
    alice: httpx.Client, collection: dict[str, Any], tracks: list[str]
) -> None:
    """A client whose answer was lost sends the same condition again, which the change itself has made false."""
    path = f"collections/{collection['id']}"
    alice.post(f"{path}/tracks", json={"track_id": tracks[0]})
    changes: list[tuple[str, str, Any]] = [
        ("PATCH", path, {"name": "Renamed"}),
        ("PATCH", f"{path}/order", {"ordered_track_ids": tracks[:1]}),
        ("DELETE", f"{path}/tracks/{tracks[0]}", None),
        ("DELETE", path, None),
    ]
    for method, target, body in changes:
        headers = {"Idempotency-Key": secrets.token_hex(16), "If-Match": alice.get(path).headers["ETag"]}
        first, replay = (alice.request(method, target, json=body, headers=headers) for _ in range(2))
        assert (first.status_code, replay.status_code) == (200, 200), (target, replay.text)
        assert (replay.content, _comparable_headers(replay)) == (first.content, _comparable_headers(first))
        assert replay.headers["Idempotent-Replayed"] == "true"
    assert_envelope(alice.delete(path), "RESOURCE_NOT_FOUND")


def test_requests_without_a_key_are_not_replayed(newcomer: httpx.Client) -> None:
    assert new_collection(newcomer)["id"] != new_collection(newcomer)["id"]


def test_replay_is_unchanged_by_later_updates(newcomer: httpx.Client, key: str) -> None:
    first = create(newcomer, key)
    path = f"collections/{first.json()['id']}"
    newcomer.patch(path, json={"name": "Renamed"})
    newcomer.delete(path)
    assert create(newcomer, key).content == first.content
    assert newcomer.get(path).status_code == 404


def test_key_with_another_request_is_rejected(
    alice: httpx.Client, collection: dict[str, Any], tracks: list[str], key: str
) -> None:
    other = new_collection(alice)
    add(alice, key, collection["id"], tracks[0])
    for reused in (
        add(alice, key, collection["id"], tracks[1]),
        add(alice, key, other["id"], tracks[0]),
        create(alice, key),
    ):
        assert_envelope(reused, "IDEMPOTENCY_KEY_REUSED")
    assert order_of(alice, collection["id"]) == tracks[:1]
    assert order_of(alice, other["id"]) == []


def test_key_is_scoped_to_the_caller(
    newcomer: httpx.Client, bob: httpx.Client, mallory: httpx.Client, key: str
) -> None:
    mine, theirs = create(newcomer, key, "Mine"), create(bob, key, "Theirs")
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]
    assert "Idempotent-Replayed" not in theirs.headers
    assert_envelope(create(mallory, key, "Mine"), "ORGANIZATION_ACCESS_DENIED")


def test_key_is_shared_by_all_api_keys_of_the_user(server: Service, key: str) -> None:
    user = f"user_{secrets.token_hex(4)}"
    one, other = (server.client(server.key(user)[1]) for _ in range(2))
    assert create(one, key).content == create(other, key).content


def test_failed_request_is_not_stored(
    alice: httpx.Client, newcomer: httpx.Client, newcomers_track: str, tracks: list[str], key: str
) -> None:
    made = new_collection(newcomer)
    failures: list[tuple[Callable[[], httpx.Response], int]] = [
        (lambda: create(newcomer, key, ""), 422),
        (lambda: add(newcomer, key, made["id"], NO_TRACK), 404),
        (lambda: add(alice, key, made["id"], tracks[0]), 404),
        (lambda: create(newcomer, key, Accept="text/html"), 406),
    ]
    for attempt, status in failures:
        assert attempt().status_code == status
    good = add(newcomer, key, made["id"], newcomers_track)
    assert good.status_code == 200
    assert "Idempotent-Replayed" not in good.headers


def test_failed_precondition_is_not_stored(
    alice: httpx.Client, collection: dict[str, Any], tracks: list[str], key: str
) -> None:
    path, body = f"collections/{collection['id']}/tracks", {"track_id": tracks[0]}
    late = alice.post(path, json=body, headers={"Idempotency-Key": key, "If-Match": '"99"'})
    assert_envelope(late, "PRECONDITION_FAILED")
    assert add(alice, key, collection["id"], tracks[0]).status_code == 200


def test_replay_requires_authentication(server: Service, newcomer: httpx.Client, key: str) -> None:
    create(newcomer, key)
    assert_envelope(create(server.client(), key), "AUTHENTICATION_REQUIRED")


@pytest.mark.parametrize("text", ["a", "a" * 255, "!~\"#'%;,/?", "0f8fad5b-d9cb-469f-a165-70867728950e"])
def test_visible_ascii_key_is_accepted(newcomer: httpx.Client, text: str) -> None:
    assert create(newcomer, text).status_code == 201


@pytest.mark.parametrize(("text", "rule"), [("", "minLength"), ("a" * 256, "maxLength"), ("a b", "pattern")])
def test_malformed_key_is_invalid(newcomer: httpx.Client, text: str, rule: str) -> None:
    assert ("header/Idempotency-Key", rule) in violations(create(newcomer, text))
    assert count(newcomer) == 0


def test_duplicate_key_header_is_malformed(newcomer: httpx.Client) -> None:
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b"), ("Content-Type", "application/json")]
    assert_envelope(newcomer.post("collections", content=b'{"name": "a"}', headers=twice), "MALFORMED_REQUEST")


@ON_DATABASES
def test_duplicate_of_a_running_request_gets_409_with_retry_after(
    server: Service, newcomer: httpx.Client, key: str
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with server.blocked_writes():
            first = pool.submit(create, newcomer, key)
            time.sleep(0.3)  # the first request waits for the database now
            duplicate = create(newcomer, key)
        assert_envelope(duplicate, "IDEMPOTENCY_KEY_IN_USE")
        assert int(duplicate.headers["Retry-After"]) >= 0
        assert first.result().status_code == 201
    assert create(newcomer, key).content == first.result().content
    assert count(newcomer) == 1


@ON_DATABASES
def test_duplicate_on_another_server_has_no_effect(
    services: Services, server: Service, newcomer: httpx.Client, key: str
) -> None:
    second = services.variant(server, THREADS="4").client(newcomer.headers["X-API-Key"])
    responses = at_once(16, lambda number: create((newcomer, second)[number % 2], key))
    assert {response.status_code for response in responses} <= {201, 409}
    assert len({response.content for response in responses if response.status_code == 201}) == 1
    assert count(newcomer) == 1


def test_24_concurrent_duplicates_create_one(newcomer: httpx.Client, key: str) -> None:
    for round_number in range(3):
        responses = at_once(24, lambda _, name=f"{key}-{round_number}": create(newcomer, name))
        made = {response.content for response in responses if response.status_code == 201}
        assert len(made) == 1
        for response in responses:
            assert response.status_code == 201 or assert_envelope(response, "IDEMPOTENCY_KEY_IN_USE")
        assert count(newcomer) == round_number + 1


def test_replay_works_after_the_collection_is_deleted(newcomer: httpx.Client, newcomers_track: str, key: str) -> None:
    """The stored response belongs to organization and user, not to the collection."""
    made = new_collection(newcomer)
    first = add(newcomer, key, made["id"], newcomers_track)
    newcomer.delete(f"collections/{made['id']}")
    assert first.status_code == 200
    assert add(newcomer, key, made["id"], newcomers_track).content == first.content
    assert newcomer.base_url.path.startswith(f"/v1/music/{HOME}/")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_key_works_on_any_path_and_method(method: str) -> None:
    """A path without an organization: the key belongs to the user alone."""
    runs: list[str] = []

    def handler(caller: Caller) -> int:
        runs.append(caller.user_id)
        return len(runs)

    node = small.operation("do_it", {"200": small.response({})}, parameters=[parameter("Idempotency-Key", "header")])
    with small.served({"/tickets": {method.lower(): node}}, {"do_it": handler}) as service:
        key, other = {"Idempotency-Key": "same"}, {"X-API-Key": service.key(BOB)}
        mine, theirs = (
            [service.client.request(method, "/tickets", headers=key | headers) for _ in range(2)]
            for headers in ({}, other)
        )
        fresh = service.client.request(method, "/tickets")
    assert runs == [ALICE, BOB, ALICE]
    assert [found.json() for found in (*mine, *theirs, fresh)] == [1, 1, 2, 2, 3]
    assert [found.headers.get("Idempotent-Replayed") for found in (*mine, fresh)] == [None, "true", None]


def test_streamed_response_with_a_key_has_no_effect() -> None:
    """A stream cannot be stored, so the transaction is rolled back."""
    ran: list[str] = []

    def handler(caller: Caller) -> StreamedBody:
        ran.append(collections.create(caller, HOME, name="Rolled back").id)
        return StreamedBody(iter([b"a"]), "text/csv")

    node = small.operation(
        "do_it", {"200": small.response({}, "text/csv")}, parameters=[parameter("Idempotency-Key", "header")]
    )
    with small.served({"/tickets": {"post": node}}, {"do_it": handler}) as service:
        assert service.client.post("/tickets").text == "a"
        assert_envelope(service.client.post("/tickets", headers={"Idempotency-Key": "k"}), "INTERNAL_SERVER_ERROR")
        with service.database.use():
            caller = Caller(ALICE, frozenset({HOME}), frozenset(), None)
            assert [row.id for row in collections.list_page(caller, HOME, 100, 0)] == ran[:1]


def _comparable_headers(response: httpx.Response) -> list[tuple[str, str]]:
    return [(name, value) for name, value in response.headers.multi_items() if name not in REPLAY_SPECIFIC]
