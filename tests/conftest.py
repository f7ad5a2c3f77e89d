"""What tests ask for by name: a server on each database, its clients, a collection to work on."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import databases
from tests.harness import HOME, Actors, Service, Services, add_all, new_collection
from tests.machine import Machine
from tests.probes import Scene


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Every server of the session; when it ends, each must stop in order and have logged no fault."""
    started = Services(tmp_path_factory.mktemp("services"))
    try:
        yield started
    finally:
        started.close()


@pytest.fixture(params=databases.KINDS)
def actors(request: pytest.FixtureRequest, services: Services) -> Actors:
    return services.actors(request.param)


@pytest.fixture
def server(actors: Actors) -> Service:
    """The running service; a test that asks for it runs once on each database."""
    return actors.service


@pytest.fixture
def kind(server: Service) -> str:
    """Which database it is: one of databases.KINDS."""
    return server.database_url.partition(":")[0]


@pytest.fixture
def alice(actors: Actors) -> httpx.Client:
    """The owner."""
    return _client(actors, "alice")


@pytest.fixture
def bob(actors: Actors) -> httpx.Client:
    """Another user of alice's organization."""
    return _client(actors, "bob")


@pytest.fixture
def mallory(actors: Actors) -> httpx.Client:
    """A user of another organization; her relative paths are those of alice's."""
    return _client(actors, "mallory")


@pytest.fixture
def newcomer(server: Service) -> httpx.Client:
    """A user of alice's organization who has nothing yet."""
    return server.client(server.key(f"user_{secrets.token_hex(8)}")[1])


@pytest.fixture
def tracks(actors: Actors) -> list[str]:
    """Twelve tracks of alice's organization, in no collection by themselves."""
    return list(actors.tracks)


@pytest.fixture
def foreign_track(actors: Actors) -> str:
    """A track of mallory's organization."""
    return actors.foreign_track


@pytest.fixture
def collection(alice: httpx.Client) -> dict[str, Any]:
    """An empty collection of alice's."""
    return new_collection(alice)


@pytest.fixture
def five(alice: httpx.Client, collection: dict[str, Any], tracks: list[str]) -> list[str]:
    """The tracks of the collection, which holds five of them now, in order."""
    add_all(alice, collection["id"], tracks[:5])
    return tracks[:5]


@pytest.fixture
def scene(actors: Actors, alice: httpx.Client) -> Scene:
    made = new_collection(alice)["id"]
    add_all(alice, made, actors.tracks[:1])
    track, other = actors.tracks[:2]
    ids = {"organization_id": HOME, "collection_id": made, "track_id": track, "other_track_id": other}
    return Scene(actors.service, alice, ids)


@pytest.fixture(params=databases.KINDS)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """An operator's machine without tables yet; a test that asks for it runs once on each database."""
    with databases.fresh(request.param, tmp_path) as url:
        yield Machine(tmp_path, url)


@pytest.fixture
def sqlite(tmp_path: Path) -> Machine:
    """The same with SQLite only, for what the database has no part in."""
    return Machine(tmp_path, databases.sqlite_url(tmp_path))


def _client(actors: Actors, name: str) -> httpx.Client:
    return actors.service.client(actors.secrets[name])
