"""Backup and restore: complete under load, no silent overwrite, and a restored copy works."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from models import collection_tracks, collections, idempotency, keys, organizations, tracks
from models.access import Caller
from models.base import metadata
from models.db import migrate
from models.db.connection import transaction
from ops import backup
from ops.errors import CommandError
from tools.endurance.load import Load, names
from tools.testing import databases
from tools.testing.server_process import Running, connected, environment, running
from tools.testing.service import HOME, ROOT

POSTGRESQL_URL = "postgresql://nobody@localhost/music"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    with running(url, tmp_path) as started:
        yield started


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with a row in every table."""
    found = databases.sqlite_url(tmp_path)
    migrate.upgrade(found)
    _populate(found)
    return found


def command(url: str, *words: str) -> str:
    """Runs a command; returns its stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *words],
        cwd=ROOT,
        env=environment(url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def save(url: str, file: Path) -> None:
    backup.save(url, file, lambda _done, _total: None)


def restore(file: Path, url: str, *, force: bool = False) -> None:
    backup.restore(file, url, lambda _done, _total: None, force=force)


def rows(file: Path | str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, after an integrity check."""
    with closing(sqlite3.connect(str(file).removeprefix("sqlite:///"))) as opened:
        assert backup.integrity_errors(opened) == []
        names = [*metadata.tables, "alembic_version"]
        return {name: sorted(opened.execute(f"SELECT * FROM {name}"), key=repr) for name in names}  # noqa: S608


def test_restore_reproduces_every_row(url: str, tmp_path: Path) -> None:
    before, copy, elsewhere = rows(url), tmp_path / "copy.db", databases.sqlite_url(tmp_path / "new")
    assert all(before.values()), "every table must have a row"
    assert "pepper" in command(url, "backup", str(copy))
    assert rows(copy) == before
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir() if "copy" in file.name) == ["copy.db"]
    command(elsewhere, "restore", str(copy))
    assert rows(elsewhere) == before


@pytest.mark.slow
def test_backup_under_load_contains_all_acknowledged_writes(server: Running, tmp_path: Path) -> None:
    secret, copy = server.key(), tmp_path / "copy.db"
    with Load(server, secret, writers=4, keys=True) as load:
        load.await_acknowledged(50)
        acknowledged = list(load.acknowledged)
        save(server.database_url, copy)
        load.await_acknowledged(20)
    assert (load.unexpected, load.broken) == ([], [])
    elsewhere = databases.sqlite_url(tmp_path)
    restore(copy, elsewhere)
    with running(elsewhere, tmp_path) as restored, restored.client(secret) as client:
        assert client.get("collections").status_code == 200, "the key must still work"
    found = names(elsewhere)
    assert not set(acknowledged) - set(found)
    assert set(found.values()) == {1}


def test_backup_does_not_restart_on_concurrent_writes(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES_AT_ONCE", 1)
    before, copy, steps = rows(url), tmp_path / "copy.db", list[int]()

    def write(_done: int, total: int) -> None:
        steps.append(total)
        assert len(steps) <= total + 1, "the backup has restarted"
        _populate(url, f"user_{len(steps)}")

    backup.save(url, copy, write)
    assert rows(copy) == before
    assert rows(url) != before


def test_restore_over_data_requires_force(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    save(url, copy)
    before = rows(url)
    _populate(url, "later")
    with pytest.raises(CommandError, match="--force"):
        restore(copy, url)
    assert rows(url) != before
    restore(copy, url, force=True)
    assert rows(url) == before


@pytest.mark.slow
def test_restore_over_a_database_in_use_is_refused(server: Running, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    save(server.database_url, copy)
    with pytest.raises(CommandError, match="stop the server first"):
        restore(copy, server.database_url, force=True)
    assert server.health("ready") == 200
    with server.client(server.key()) as client:
        assert client.post("collections", json={"name": "Still here"}).status_code == 201


def test_backup_does_not_overwrite_a_file(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("a letter to my aunt", encoding="utf-8")
    with pytest.raises(CommandError, match="already a file"):
        save(url, copy)
    assert copy.read_text(encoding="utf-8") == "a letter to my aunt"


@pytest.mark.parametrize("content", ["", "a letter to my aunt", "x" * 8192])
def test_restore_of_another_file_type_is_refused(url: str, tmp_path: Path, content: str) -> None:
    letter, before = tmp_path / "letter.txt", rows(url)
    letter.write_text(content, encoding="utf-8")
    with pytest.raises(CommandError, match="no backup"):
        restore(letter, url, force=True)
    assert rows(url) == before


def test_restore_of_a_corrupt_backup_is_refused(url: str, tmp_path: Path) -> None:
    copy, before = tmp_path / "copy.db", rows(url)
    save(url, copy)
    content = bytearray(copy.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 6000] = os.urandom(6000)
    copy.write_bytes(content)
    with pytest.raises(CommandError, match="backup of Music Studio"):
        restore(copy, url, force=True)
    assert rows(url) == before


def test_restore_of_a_newer_schema_is_refused(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    save(url, copy)
    with closing(sqlite3.connect(copy)) as opened:
        opened.execute("UPDATE alembic_version SET version_num = '9999'")
        opened.commit()
    with pytest.raises(CommandError, match="newer version"):
        restore(copy, url, force=True)


def test_missing_file_is_named_in_the_error(url: str, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.db"
    with pytest.raises(CommandError, match="There is no"):
        save(f"sqlite:///{nothing}", tmp_path / "copy.db")
    with pytest.raises(CommandError, match="There is no"):
        restore(nothing, url)
    assert not nothing.exists()


def test_postgresql_backup_refers_to_pg_dump(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="pg_dump"):
        save(POSTGRESQL_URL, tmp_path / "copy")
    with pytest.raises(CommandError, match="pg_restore"):
        restore(tmp_path / "copy", POSTGRESQL_URL)


def _populate(url: str, user: str = "alice") -> None:
    caller = Caller(user, frozenset({HOME}), frozenset(), None)
    with connected(url):
        organizations.join(HOME, user)
        keys.make(HOME, user, ["music:read"], pepper=b"x")
        track = tracks.add(HOME, user, title="Rain", source_digest=user.encode().ljust(32))
        assert track is not None
        made = collections.create(caller, HOME, name="Focus", cover_track_id=track.id)
        collection_tracks.add(caller, HOME, made.id, track.id, None)
        transaction(idempotency.store)(HOME, user, "key", b"1" * 32, 201, {}, b"{}")
