"""Fixtures: a server on each database, its clients, and a collection to work on."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import connexion  # noqa: F401 - complete, for the tests that compare with it, before web.lazy_imports imports a part
import httpx
import pytest

from tests.deployments.targets import TARGETS
from tools.testing import databases, probes
from tools.testing.cli_runner import Shell
from tools.testing.probes import Scene
from tools.testing.service import Actors, Service, Services, add_all, new_collection

# Fixtures that start PostgreSQL for every parameter of the test.
POSTGRESQL_FIXTURES = {"breakable", "partitioned", "postgres"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="Run every test that asks for a server on PostgreSQL too.")
    parser.addoption("--on", choices=TARGETS, help="Run the tests of PostgreSQL on another deployment, and no others.")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skips tests/deployments without --on: they need pgbouncer or a replica (`make test-deployments`)."""
    return True if collection_path.name == "deployments" and not config.getoption("on") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks tests that need PostgreSQL; with --on, deselects tests without a server and tests on SQLite."""
    for item in items:
        if _needs_postgresql(item):
            item.add_marker(pytest.mark.postgresql)
    if not config.getoption("on"):
        return
    others = {item for item in items if _uses_database(item, "sqlite") or not _needs_a_server(item)}
    config.hook.pytest_deselected(items=[item for item in items if item in others])
    items[:] = [item for item in items if item not in others]


def _needs_postgresql(item: pytest.Item) -> bool:
    chosen = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return "postgresql" in chosen or bool(POSTGRESQL_FIXTURES & set(getattr(item, "fixturenames", ())))


def _uses_database(item: pytest.Item, kind: str) -> bool:
    return bool(getattr(item, "callspec", None)) and item.callspec.params.get("actors") == kind  # type: ignore[attr-defined]


def _needs_a_server(item: pytest.Item) -> bool:
    return "deployments" in item.path.parts or "actors" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """All servers of the session; at its end each must stop with status 0 and have logged no fault."""
    started = Services(tmp_path_factory.mktemp("services"), TARGETS)
    try:
        yield started
    finally:
        started.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs tests with a server on SQLite; with --all or their own parameters, on PostgreSQL too."""
    chosen = {mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")}
    if "actors" in metafunc.fixturenames and "actors" not in chosen:
        kinds = databases.KINDS if metafunc.config.getoption("all") or metafunc.config.getoption("on") else ("sqlite",)
        metafunc.parametrize("actors", kinds, indirect=True)


@pytest.fixture
def actors(request: pytest.FixtureRequest, services: Services) -> Actors:
    return services.actors(request.config.getoption("on") or request.param)


@pytest.fixture
def server(actors: Actors) -> Service:
    """The running service."""
    return actors.service


@pytest.fixture
def kind(server: Service) -> str:
    """The kind of the database: one of databases.KINDS."""
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
def newcomer_id() -> str:
    return f"user_{secrets.token_hex(8)}"


@pytest.fixture
def newcomer(server: Service, newcomer_id: str) -> httpx.Client:
    """A user of alice's organization without collections."""
    return server.client(server.key(newcomer_id)[1])


@pytest.fixture
def newcomers_track(server: Service, newcomer_id: str) -> str:
    """A track that the newcomer has created, in no collection."""
    return server.make_tracks(1, creator=newcomer_id)[0]


@pytest.fixture
def reader(services: Services) -> httpx.Client:
    """A client without a credential, for /docs; always on SQLite."""
    server = services.actors("sqlite").service
    client = server.client()
    client.base_url = httpx.URL(server.url)
    return client


@pytest.fixture
def tracks(actors: Actors) -> list[str]:
    """Twelve tracks of alice's organization, in no collection."""
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
    """Five tracks, added to the collection in this order."""
    add_all(alice, collection["id"], tracks[:5])
    return tracks[:5]


@pytest.fixture
def scene(actors: Actors, alice: httpx.Client) -> Scene:
    return probes.scene(actors.service, alice)


@pytest.fixture(params=databases.KINDS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    """The command line and an empty database, once per kind of database."""
    with databases.fresh(request.param, tmp_path) as url:
        yield Shell(tmp_path, url)


@pytest.fixture
def sqlite(tmp_path: Path) -> Shell:
    """The command line on SQLite only."""
    return Shell(tmp_path, databases.sqlite_url(tmp_path))


def _client(actors: Actors, name: str) -> httpx.Client:
    return actors.service.client(actors.secrets[name])
