"""Reads from a replica: writes and reads after a write use the primary, and a replica outage is survived."""

import time
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

from models import keys, organizations
from models.db import migrate
from models.db.replica import RETRY_SECONDS
from tests.deployments.replica import ReplicatedPair, replicated
from tools.endurance.outage import MAX_SECONDS, SLACK_SECONDS, Probe
from tools.testing.server_process import Running, connected, new_key, running
from tools.testing.service import ALICE, HOME, PEPPER, READ

UNAVAILABLE, AVAILABLE = "replica unavailable", "replica available again"


class Servers(NamedTuple):
    """Two servers: one with a replica lag of 0 s, one that reads from the primary for 60 s after a write."""

    pair: ReplicatedPair
    no_lag: Running
    with_lag: Running


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("replicated")
    with replicated() as pair:
        migrate.upgrade(pair.primary.url)
        url, replica = pair.primary.url, pair.replica.url
        with (
            running(url, folder, DATABASE_READ_URL=replica, REPLICA_LAG_SECONDS="0") as no_lag,
            running(url, folder, DATABASE_READ_URL=replica, REPLICA_LAG_SECONDS="60") as with_lag,
        ):
            yield Servers(pair, no_lag, with_lag)


@pytest.fixture
def secret(servers: Servers) -> str:
    return new_key(servers.pair.primary.url)


@pytest.fixture
def lagging(servers: Servers) -> Iterator[ReplicatedPair]:
    """The pair, whose replica both servers use; the test may pause it."""
    for server in (servers.no_lag, servers.with_lag):
        _await_replica(server)
    yield servers.pair
    servers.pair.resume()


def _made(client: httpx.Client, pair: ReplicatedPair) -> str:
    """The path of a new collection that is on the replica too."""
    response = client.post("collections", json={"name": "Before"})
    assert response.status_code == 201, response.text
    pair.catch_up()
    return f"collections/{response.json()['id']}"


def _name(client: httpx.Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, response.text
    name: str = response.json()["name"]
    return name


def test_reads_use_the_replica_and_writes_the_primary(servers: Servers, lagging: ReplicatedPair, secret: str) -> None:
    with servers.no_lag.client(secret) as client:
        path = _made(client, lagging)
        lagging.pause()
        changed = client.patch(path, json={"name": "After"})
        assert (changed.status_code, changed.json()["name"]) == (200, "After")
        assert _name(client, path) == "Before"
        assert client.get("collections").json()["items"][0]["name"] == "Before"
        lagging.resume()
        assert _name(client, path) == "After"


def test_reads_after_a_write_use_the_primary(servers: Servers, lagging: ReplicatedPair, secret: str) -> None:
    with servers.with_lag.client(secret) as client:
        path = _made(client, lagging)
        lagging.pause()
        tag = client.patch(path, json={"name": "After"}).headers["ETag"]
        assert _name(client, path) == "After"
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_server_without_the_write_reads_from_the_replica(servers: Servers, lagging: ReplicatedPair) -> None:
    other = new_key(servers.pair.primary.url, "user_other")
    with servers.no_lag.client(other) as maker, servers.with_lag.client(other) as reader:
        path = _made(maker, lagging)
        lagging.pause()
        assert maker.patch(path, json={"name": "After"}).status_code == 200
        assert _name(reader, path) == "Before", "this server has seen no write by that user"


def test_row_missing_on_the_replica_is_read_from_the_primary(
    servers: Servers, lagging: ReplicatedPair, secret: str
) -> None:
    lagging.pause()
    with servers.no_lag.client(secret) as client:
        made = client.post("collections", json={"name": "New"}).json()["id"]
        assert _name(client, f"collections/{made}") == "New"


def test_precondition_is_checked_on_the_primary(servers: Servers, lagging: ReplicatedPair, secret: str) -> None:
    with servers.no_lag.client(secret) as client:
        path = _made(client, lagging)
        lagging.pause()
        assert client.patch(path, json={"name": "After"}).status_code == 200
        stale = client.get(path).headers["ETag"]
        assert client.patch(path, json={"name": "Lost"}, headers={"If-Match": stale}).status_code == 412


def test_api_keys_are_read_from_the_primary(servers: Servers, lagging: ReplicatedPair) -> None:
    with connected(servers.pair.primary.url):
        organizations.join(HOME, ALICE)
        made, secret = keys.make(HOME, ALICE, (READ,), pepper=PEPPER.encode())
    lagging.catch_up()
    lagging.pause()
    with servers.no_lag.client(secret) as client:
        assert client.get("collections").status_code == 200
        with connected(servers.pair.primary.url):
            assert keys.set_state(made.id, "deactivated")
        assert client.get("collections").status_code == 401


def _counts(server: Running) -> tuple[int, int]:
    text = server.log_text()
    return text.count(UNAVAILABLE), text.count(AVAILABLE)


def _await_replica(server: Running) -> None:
    """Sends reads until the server uses its replica again."""
    deadline = time.monotonic() + RETRY_SECONDS + 20
    with server.client(new_key(server.database_url, "user_patient")) as client:
        made = client.post("collections", json={"name": "Patience"}).json()["id"]
        while len(set(_counts(server))) > 1:
            assert client.get(f"collections/{made}").status_code == 200
            assert time.monotonic() < deadline, "the replica is not used again"
            time.sleep(0.1)


def test_replica_outage_falls_back_to_the_primary_and_is_logged_once(servers: Servers, secret: str) -> None:
    before = _counts(servers.no_lag)
    with servers.no_lag.client(secret) as client:
        path = _made(client, servers.pair)
        servers.pair.replica.stop()
        try:
            assert {client.get(path).status_code for _ in range(50)} == {200}
            assert client.patch(path, json={"name": "After"}).status_code == 200
            assert _name(client, path) == "After"
            assert _counts(servers.no_lag) == (before[0] + 1, before[1])
        finally:
            servers.pair.replica.start()
        _await_replica(servers.no_lag)
        assert _counts(servers.no_lag) == (before[0] + 1, before[1] + 1)


def test_frozen_replica_delays_reads_by_at_most_the_timeout(servers: Servers, secret: str) -> None:
    probe = Probe(servers.no_lag, secret)
    servers.pair.catch_up()
    before = _counts(servers.no_lag)
    servers.pair.replica.freeze()
    try:
        responses = probe.reads(8)
    finally:
        servers.pair.replica.thaw()
    assert {one.status for one in responses} == {200}
    assert max(one.seconds for one in responses) <= MAX_SECONDS + SLACK_SECONDS
    assert _counts(servers.no_lag)[0] == before[0] + 1
