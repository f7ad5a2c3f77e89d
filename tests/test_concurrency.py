"""Many at once: nothing is lost, nothing doubled, and positions stay dense."""

import random
from collections import Counter
from typing import Any

import httpx
import pytest

from tools.testing.service import Service, add_all, at_once, new_collection, order_of

WRITERS, MOVES = 16, 10


def _track_count(client: httpx.Client, collection_id: str) -> int:
    shown: int = client.get(f"collections/{collection_id}").json()["track_count"]
    return shown


def test_one_track_added_by_many_at_once_is_in_once(
    alice: httpx.Client, collection: dict[str, Any], tracks: list[str]
) -> None:
    path = f"collections/{collection['id']}/tracks"
    answers = at_once(WRITERS, lambda _: alice.post(path, json={"track_id": tracks[0]}))
    assert [answer.status_code for answer in answers] == [200] * WRITERS
    assert order_of(alice, collection["id"]) == tracks[:1]
    assert _track_count(alice, collection["id"]) == 1


def test_many_tracks_added_at_once_are_all_in(server: Service, alice: httpx.Client, collection: dict[str, Any]) -> None:
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
def test_sixteen_writers_move_tracks_and_none_is_lost(
    server: Service, alice: httpx.Client, collection: dict[str, Any]
) -> None:
    made = server.make_tracks(20)
    add_all(alice, collection["id"], made)
    path = f"collections/{collection['id']}/order"

    def write(writer: int) -> list[int]:
        chance = random.Random(writer)
        wishes = [chance.sample(made, chance.choice([1, 1, 2, 5])) for _ in range(MOVES)]
        return [alice.patch(path, json={"ordered_track_ids": wish}).status_code for wish in wishes]

    assert at_once(WRITERS, write) == [[200] * MOVES] * WRITERS
    assert sorted(order_of(alice, collection["id"])) == sorted(made)
    assert _track_count(alice, collection["id"]) == len(made)


@pytest.mark.slow
def test_adding_removing_and_moving_at_once_leave_a_whole_list(
    server: Service, alice: httpx.Client, collection: dict[str, Any]
) -> None:
    kept, gone, come = (server.make_tracks(10) for _ in range(3))
    add_all(alice, collection["id"], kept + gone)
    path = f"collections/{collection['id']}"

    def write(writer: int) -> list[int]:
        chance = random.Random(writer)
        answers = []
        for index in range(10):
            answers += [
                alice.delete(f"{path}/tracks/{gone[index]}"),
                alice.post(f"{path}/tracks", json={"track_id": come[index]}),
                alice.patch(f"{path}/order", json={"ordered_track_ids": chance.sample(kept, 3)}),
            ]
        return [answer.status_code for answer in answers]

    assert at_once(4, write) == [[200] * 30] * 4
    assert sorted(order_of(alice, collection["id"])) == sorted(kept + come)
    assert _track_count(alice, collection["id"]) == 20


def test_readers_never_see_a_list_that_never_was(
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


def test_of_many_who_delete_at_once_one_succeeds(alice: httpx.Client, collection: dict[str, Any]) -> None:
    answers = at_once(WRITERS, lambda _: alice.delete(f"collections/{collection['id']}").status_code)
    assert Counter(answers) == {200: 1, 404: WRITERS - 1}


def test_adding_to_what_is_being_deleted_succeeds_or_finds_nothing(
    alice: httpx.Client, collection: dict[str, Any], tracks: list[str]
) -> None:
    path = f"collections/{collection['id']}"

    def work(number: int) -> int:
        if number == 4:
            return alice.delete(path).status_code
        return alice.post(f"{path}/tracks", json={"track_id": tracks[number]}).status_code

    answers = at_once(9, work)
    assert answers.pop(4) == 200
    assert set(answers) <= {200, 404}
    assert alice.get(path).status_code == 404


def test_many_made_at_once_are_all_different_and_listed(newcomer: httpx.Client) -> None:
    made = at_once(WRITERS, lambda number: new_collection(newcomer, name=f"Number {number}")["id"])
    listed = [item["id"] for item in newcomer.get("collections").json()["items"]]
    assert len(set(made)) == WRITERS
    assert sorted(listed) == sorted(made)


def test_changes_of_different_fields_at_once_all_take_effect(alice: httpx.Client, tracks: list[str]) -> None:
    made = new_collection(alice)
    fields = {
        "name": "New",
        "description": "New",
        "cover_track_id": tracks[0],
        "cover_image_url": "https://a.example/b",
    }
    changes = list(fields.items())
    answers = at_once(4, lambda n: alice.patch(f"collections/{made['id']}", json=dict([changes[n]])).status_code)
    assert answers == [200] * 4
    shown = alice.get(f"collections/{made['id']}").json()
    assert {name: shown[name] for name in fields} == fields
