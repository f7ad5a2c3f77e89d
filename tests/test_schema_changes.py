"""A schema that changes under the server: stale prepared statements are renewed, another version's schema is 503."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

import app
from models import keys, organizations
from models.db import connection, migrate
from models.db.database import Database
from models.db.schema_version import head
from settings import Settings
from tools.testing import databases
from tools.testing.service import ALICE, HOME, PEPPER, READ, WRITE, assert_envelope, new_collection
from tools.testing.thread_server import serving

ROUNDS = 8  # psycopg prepares a statement at its sixth execution
DRIVERS = {"sqlite": "", "asyncpg": "", "psycopg": "&keepalives=1"}


@pytest.fixture(
    params=["sqlite", *(pytest.param(name, marks=pytest.mark.postgresql) for name in ("asyncpg", "psycopg"))]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    kind = "sqlite" if request.param == "sqlite" else "postgresql"
    with databases.migrated(kind, tmp_path) as found:
        yield found + DRIVERS[request.param]


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with Database(url):
        organizations.join(HOME, ALICE)
        secret = keys.make(HOME, ALICE, (READ, WRITE), pepper=PEPPER.encode())[1]
    settings = Settings(database_url=url, key_pepper=PEPPER, rate_limit="off", key_cache_seconds=0)
    with serving(app.create_app(settings)) as address:
        headers = {"X-API-Key": secret}
        with httpx.Client(base_url=f"{address}/v1/music/{HOME}/", headers=headers, trust_env=False) as opened:
            yield opened


def write(client: httpx.Client, number: int) -> list[int]:
    """The statuses of a write of one statement, of a transaction, and of a read."""
    keyed = {"Idempotency-Key": f"round-{number}"}
    return [
        client.post("collections", json={"name": "a"}).status_code,
        client.post("collections", json={"name": "a"}, headers=keyed).status_code,
        client.get("collections").status_code,
    ]


@pytest.mark.postgresql
@pytest.mark.parametrize("url", ["asyncpg", "psycopg"], indirect=True)
def test_column_that_changes_its_type_fails_no_request(url: str, client: httpx.Client) -> None:
    for number in range(ROUNDS):
        assert write(client, number) == [201, 201, 200]
    for number, kind in enumerate(("bigint", "integer"), ROUNDS):
        with Database(url):
            connection.execute(text(f"ALTER TABLE collections ALTER COLUMN track_count TYPE {kind}"))
        assert write(client, number) == [201, 201, 200]
    assert len(client.get("collections", params={"limit": 100}).json()["items"]) == 2 * (ROUNDS + 2)


def test_downgraded_schema_is_503_until_it_is_upgraded(url: str, client: httpx.Client) -> None:
    """The columns that the newer schema has are gone, and so are its tables, after the last step back."""
    path = f"collections/{new_collection(client)['id']}"
    for revision in (*(f"{number:04}" for number in range(int(head()) - 1, 0, -1)), "base"):
        migrate.downgrade(url, revision)
        ready = client.get(str(client.base_url.join("/v1/health/ready")))
        assert_envelope(ready, "SERVICE_UNAVAILABLE")
        for response in (client.get(path), client.post("collections", json={"name": "a"}), client.delete(path)):
            assert response.status_code < 500 or assert_envelope(response, "SERVICE_UNAVAILABLE")
    assert_envelope(client.get(path), "SERVICE_UNAVAILABLE")
    migrate.upgrade(url)
    assert_envelope(client.get(path), "AUTHENTICATION_REQUIRED")
