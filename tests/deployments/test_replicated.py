"""GETs are answered by a copy of the database, as long as nobody is told less than they know."""

import time
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

from models import keys, organizations
from models.db import migrate
from models.db.replica import RETRY_SECONDS
from tests.deployments.replica import Pair, replicated
from tools.endurance.outage import MAX_SECONDS, SLACK_SECONDS, Probe
from tools.testing.server_process import Running, connected, new_key, running
from tools.testing.service import ALICE, HOME, PEPPER, READ

AWAY, BACK = "replica unavailable", "replica available again"


class Place(NamedTuple):
    """A server that trusts its copy at once, and one that lets writers read from the primary for a while."""

    pair: Pair
    hasty: Running
    careful: Running


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("replicated")
    with replicated() as pair:
        migrate.upgrade(pair.primary.url)
        url, copy = pair.primary.url, pair.copy.url
        with (
            running(url, folder, DATABASE_READ_URL=copy, REPLICA_LAG_SECONDS="0") as hasty,
            running(url, folder, DATABASE_READ_URL=copy, REPLICA_LAG_SECONDS="60") as careful,
        ):
            yield Place(pair, hasty, careful)


@pytest.fixture
def secret(place: Place) -> str:
    return new_key(place.pair.primary.url)


@pytest.fixture
def lagging(place: Place) -> Iterator[Pair]:
    """The copy, which both servers ask, and which does not follow once the test has paused it."""
    for server in (place.hasty, place.careful):
        _await_trust(server)
    yield place.pair
    place.pair.resume()


def _made(client: httpx.Client, pair: Pair) -> str:
    """The path of a new collection, which the copy has too."""
    answer = client.post("collections", json={"name": "Before"})
    assert answer.status_code == 201, answer.text
    pair.catch_up()
    return f"collections/{answer.json()['id']}"


def _name(client: httpx.Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    name: str = answer.json()["name"]
    return name


def test_reads_come_from_the_copy_and_writes_go_to_the_primary(place: Place, lagging: Pair, secret: str) -> None:
    with place.hasty.client(secret) as client:
        path = _made(client, lagging)
        lagging.pause()
        changed = client.patch(path, json={"name": "After"})
        assert (changed.status_code, changed.json()["name"]) == (200, "After")
        assert _name(client, path) == "Before"
        assert client.get("collections").json()["items"][0]["name"] == "Before"
        lagging.resume()
        assert _name(client, path) == "After"


def test_who_has_just_written_reads_what_they_wrote(place: Place, lagging: Pair, secret: str) -> None:
    with place.careful.client(secret) as client:
        path = _made(client, lagging)
        lagging.pause()
        tag = client.patch(path, json={"name": "After"}).headers["ETag"]
        assert _name(client, path) == "After"
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_others_are_told_by_the_copy_meanwhile(place: Place, lagging: Pair) -> None:
    other = new_key(place.pair.primary.url, "user_other")
    with place.hasty.client(other) as maker, place.careful.client(other) as reader:
        path = _made(maker, lagging)
        lagging.pause()
        assert maker.patch(path, json={"name": "After"}).status_code == 200
        assert _name(reader, path) == "Before", "this server knows of no write by that user"


def test_what_the_copy_does_not_have_yet_is_found(place: Place, lagging: Pair, secret: str) -> None:
    lagging.pause()
    with place.hasty.client(secret) as client:
        made = client.post("collections", json={"name": "New"}).json()["id"]
        assert _name(client, f"collections/{made}") == "New"


def test_a_precondition_is_held_against_the_primary(place: Place, lagging: Pair, secret: str) -> None:
    with place.hasty.client(secret) as client:
        path = _made(client, lagging)
        lagging.pause()
        assert client.patch(path, json={"name": "After"}).status_code == 200
        stale = client.get(path).headers["ETag"]
        assert client.patch(path, json={"name": "Lost"}, headers={"If-Match": stale}).status_code == 412


def test_a_key_is_never_known_from_the_copy(place: Place, lagging: Pair) -> None:
    with connected(place.pair.primary.url):
        organizations.join(HOME, ALICE)
        made, secret = keys.make(HOME, ALICE, (READ,), pepper=PEPPER.encode())
    lagging.catch_up()
    lagging.pause()
    with place.hasty.client(secret) as client:
        assert client.get("collections").status_code == 200
        with connected(place.pair.primary.url):
            assert keys.set_state(made.id, "deactivated")
        assert client.get("collections").status_code == 401


def _counts(server: Running) -> tuple[int, int]:
    text = server.log_text()
    return text.count(AWAY), text.count(BACK)


def _await_trust(server: Running) -> None:
    """Asks on until the server has found its copy again, if it had lost it."""
    deadline = time.monotonic() + RETRY_SECONDS + 20
    with server.client(new_key(server.database_url, "user_patient")) as client:
        made = client.post("collections", json={"name": "Patience"}).json()["id"]
        while len(set(_counts(server))) > 1:
            assert client.get(f"collections/{made}").status_code == 200
            assert time.monotonic() < deadline, "the copy is not found again"
            time.sleep(0.1)


def test_without_the_copy_the_primary_answers_and_the_log_says_so_once(place: Place, secret: str) -> None:
    before = _counts(place.hasty)
    with place.hasty.client(secret) as client:
        path = _made(client, place.pair)
        place.pair.copy.stop()
        try:
            assert {client.get(path).status_code for _ in range(50)} == {200}
            assert client.patch(path, json={"name": "After"}).status_code == 200
            assert _name(client, path) == "After"
            assert _counts(place.hasty) == (before[0] + 1, before[1])
        finally:
            place.pair.copy.start()
        _await_trust(place.hasty)
        assert _counts(place.hasty) == (before[0] + 1, before[1] + 1)


def test_a_copy_that_falls_silent_keeps_nobody_waiting_for_long(place: Place, secret: str) -> None:
    probe = Probe(place.hasty, secret)
    place.pair.catch_up()
    before = _counts(place.hasty)
    place.pair.copy.freeze()
    try:
        told = probe.reads(8)
    finally:
        place.pair.copy.thaw()
    assert {one.status for one in told} == {200}
    assert max(one.seconds for one in told) <= MAX_SECONDS + SLACK_SECONDS
    assert _counts(place.hasty)[0] == before[0] + 1
