"""SQLite: the file of a running server is moved away, deleted or replaced: no write is acknowledged and lost."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from models.db import migrate
from tools.testing import databases
from tools.testing.server_process import running

pytestmark = pytest.mark.slow
MOVED, IN_PLACE = "database file moved, deleted or replaced", "database file in place again"


def _replace(file: Path) -> None:
    file.rename(file.with_suffix(".old"))
    shutil.copy(file.with_suffix(".old"), file)


CHANGES: dict[str, Callable[[Path], object]] = {
    "moved": lambda file: file.rename(file.with_suffix(".old")),
    "deleted": Path.unlink,
    "replaced": _replace,
}


@pytest.mark.parametrize("change", CHANGES)
def test_writes_are_refused_while_the_file_is_not_in_place(tmp_path: Path, change: str) -> None:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    file = Path(url.removeprefix("sqlite:///"))
    with running(url, tmp_path) as server, server.client(server.key()) as client:
        assert client.post("collections", json={"name": "before"}).status_code == 201
        CHANGES[change](file)
        for _ in range(3):
            response = client.post("collections", json={"name": "lost"})
            assert response.status_code == 503, response.text
            assert response.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
        assert client.get("collections").status_code == 200
        assert server.health("live") == 200
        assert server.await_log(MOVED).count(MOVED) == 1
        if change == "moved":
            file.with_suffix(".old").rename(file)
            assert client.post("collections", json={"name": "after"}).status_code == 201
            assert IN_PLACE in server.await_log(IN_PLACE)
    if change == "moved":
        with closing(sqlite3.connect(file)) as database:
            names = [name for (name,) in database.execute("SELECT name FROM collections ORDER BY name")]
        assert names == ["after", "before"]


def test_first_write_does_not_create_a_missing_file(tmp_path: Path) -> None:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    file = Path(url.removeprefix("sqlite:///"))
    with running(url, tmp_path) as server, server.client(server.key()) as client:
        file.rename(file.with_suffix(".old"))
        assert client.post("collections", json={"name": "lost"}).status_code == 503
        assert not file.exists()
