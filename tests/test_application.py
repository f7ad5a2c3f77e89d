"""Two applications with different settings live in one process and share nothing."""

from pathlib import Path

import httpx
import pytest

import app
from models import keys, organizations
from models.db.database import Database
from settings import Settings
from tools.testing import databases
from tools.testing.service import ALICE, HOME, PEPPER, READ, WRITE, new_collection
from tools.testing.thread_server import serving


@pytest.mark.parametrize("kinds", [("sqlite", "sqlite"), ("sqlite", "postgresql")])
def test_two_applications_in_one_process_share_nothing(kinds: tuple[str, str], tmp_path: Path) -> None:
    with databases.migrated(kinds[0], tmp_path) as first, databases.migrated(kinds[1], tmp_path) as second:
        lenient = Settings(database_url=first, key_pepper=PEPPER)
        strict = Settings(database_url=second, key_pepper=PEPPER, require_if_match=True, rate_limit="3/minute")
        with (
            serving(app.create_app(lenient)) as one,
            serving(app.create_app(strict)) as other,
            _client(one, first) as alice,
            _client(other, second) as twin,
        ):
            _assert_nothing_shared(alice, twin)


def _assert_nothing_shared(alice: httpx.Client, twin: httpx.Client) -> None:
    made = f"collections/{new_collection(alice, name='of the first')['id']}"
    assert alice.get(made).status_code == 200
    assert alice.patch(made, json={"name": "b"}).status_code == 200
    assert twin.get(made).status_code == 404
    assert twin.patch(made, json={"name": "b"}).status_code == 428
    assert [twin.get("collections").status_code for _ in range(2)] == [200, 429]
    assert alice.get("collections").status_code == 200
    assert twin.get("collections", headers={"X-API-Key": alice.headers["X-API-Key"]}).status_code == 401


def _client(url: str, database_url: str) -> httpx.Client:
    with Database(database_url):
        organizations.join(HOME, ALICE)
        secret = keys.make(HOME, ALICE, (READ, WRITE), pepper=PEPPER.encode())[1]
    return httpx.Client(base_url=f"{url}/v1/music/{HOME}/", headers={"X-API-Key": secret}, trust_env=False)
