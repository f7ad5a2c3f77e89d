"""Concurrent requests: no lost or duplicated change, and dense positions."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import httpx
import pytest

from models import keys
from tools.testing.service import ALICE, PEPPER, Service, add_all, at_once, new_collection, order_of

WRITERS, MOVES = 16, 10


def _track_count(client: httpx.Client, collection_id: str) -> int:
    shown: int = client.get(f"collections/{collection_id}").json()["track_count"]
    return shown


def test_concurrent_adds_of_one_track_add_it_once(
    alice: httpx.Client, collection: dict[str, Any], tracks: list[str]
) -> None:
    path = f"collections/{collection['id']}/tracks"
    responses = at_once(WRITERS, lambda _: alice.post(path, json={"track_id": tracks[0]}))
    assert [response.status_code for response in responses] == [200] * WRITERS
    assert order_of(alice, collection["id"]) == tracks[:1]
    assert _track_count(alice, collection["id"]) == 1


def test_concurrent_adds_of_many_tracks_lose_none(
    server: Service, alice: httpx.Client, collection: dict[str, Any]
) -> None:
    made = server.make_tracks(WRITERS * 4)
    path = f"collections/{collection['id']}/tracks"

    def write(writer: int) -> list[int]:
        own = made[writer::WRITERS]
        return [alice.post(path, json={"track_id": track}).status_code for track in own]

    assert at_once(WRITERS, write) == [[200] * 4] * WRITERS
    order = order_of(alice, collection["id"])
    assert sorted(order) == sorted(made)
    for writer in range(WRITERS):
        own = made[writer::WRITERS]
        assert [track for track in order if track in own] == own, "one writer's tracks keep their order"
    assert _track_count(alice, collection["id"]) == len(made)


@pytest.mark.slow
def test_concurrent_reorders_lose_no_track(server: Service, alice: httpx.Client, collection: dict[str, Any]) -> None:
    made = server.make_tracks(20)
    add_all(alice, collection["id"], made)
    path = f"collections/{collection['id']}/order"

    def write(writer: int) -> list[int]:
        chance = random.Random(writer)
        orders = [chance.sample(made, chance.choice([1, 1, 2, 5])) for _ in range(MOVES)]
        return [alice.patch(path, json={"ordered_track_ids": order}).status_code for order in orders]

    assert at_once(WRITERS, write) == [[200] * MOVES] * WRITERS
    assert sorted(order_of(alice, collection["id"])) == sorted(made)
    assert _track_count(alice, collection["id"]) == len(made)


@pytest.mark.slow
def test_concurrent_add_remove_and_reorder_keep_the_list_consistent(
    server: Service, alice: httpx.Client, collection: dict[str, Any]
) -> None:
    kept, removed, added = (server.make_tracks(10) for _ in range(3))
    add_all(alice, collection["id"], kept + removed)
    path = f"collections/{collection['id']}"

    def write(writer: int) -> list[int]:
        chance = random.Random(writer)
        responses = []
        for index in range(10):
            responses += [
                alice.delete(f"{path}/tracks/{removed[index]}"),
                alice.post(f"{path}/tracks", json={"track_id": added[index]}),
                alice.patch(f"{path}/order", json={"ordered_track_ids": chance.sample(kept, 3)}),
            ]
        return [response.status_code for response in responses]

    assert at_once(4, write) == [[200] * 30] * 4
    assert sorted(order_of(alice, collection["id"])) == sorted(kept + added)
    assert _track_count(alice, collection["id"]) == 20


def test_reads_during_reorders_see_complete_lists(
    alice: httpx.Client, collection: dict[str, Any], five: list[str]
) -> None:
    path = f"collections/{collection['id']}"

    def work(number: int) -> None:
        for _ in range(10):
            if number == 0:
                alice.patch(f"{path}/order", json={"ordered_track_ids": random.sample(five, 5)})
            else:
                assert sorted(order_of(alice, collection["id"])) == sorted(five)

    at_once(8, work)


def test_one_of_concurrent_deletes_succeeds(alice: httpx.Client, collection: dict[str, Any]) -> None:
    responses = at_once(WRITERS, lambda _: alice.delete(f"collections/{collection['id']}").status_code)
    assert Counter(responses) == {200: 1, 404: WRITERS - 1}


def test_add_during_delete_gets_200_or_404(alice: httpx.Client, collection: dict[str, Any], tracks: list[str]) -> None:
    path = f"collections/{collection['id']}"

    def work(number: int) -> int:
        if number == 4:
            return alice.delete(path).status_code
        return alice.post(f"{path}/tracks", json={"track_id": tracks[number]}).status_code

    responses = at_once(9, work)
    assert responses.pop(4) == 200
    assert set(responses) <= {200, 404}
    assert alice.get(path).status_code == 404


def test_concurrent_creates_give_distinct_collections(newcomer: httpx.Client) -> None:
    made = at_once(WRITERS, lambda number: new_collection(newcomer, name=f"Number {number}")["id"])
    listed = [item["id"] for item in newcomer.get("collections").json()["items"]]
    assert len(set(made)) == WRITERS
    assert sorted(listed) == sorted(made)


def test_concurrent_updates_of_different_fields_all_apply(alice: httpx.Client, tracks: list[str]) -> None:
    made = new_collection(alice)
    fields = {
        "name": "New",
        "description": "New",
        "cover_track_id": tracks[0],
        "cover_image_url": "https://a.example/b",
    }
    changes = list(fields.items())
    responses = at_once(4, lambda n: alice.patch(f"collections/{made['id']}", json=dict([changes[n]])).status_code)
    assert responses == [200] * 4
    shown = alice.get(f"collections/{made['id']}").json()
    assert {name: shown[name] for name in fields} == fields


def test_one_of_six_concurrent_rotations_replaces_the_key(server: Service) -> None:
    with server.use_database():
        former = keys.get(server.key(ALICE)[0])
        assert former is not None
        done = at_once(6, lambda _: keys.rotate(former, timedelta(hours=1), None, pepper=PEPPER.encode()))
    rotated = [rotation for rotation in done if rotation is not None]
    assert len(rotated) == 1
    assert server.client(rotated[0].secret).get("collections").status_code == 200
