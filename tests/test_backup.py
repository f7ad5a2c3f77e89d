"""Backup and restore: complete under load, no silent overwrite, and a restored copy works."""

import json
import os
import resource
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models import (
    collection_tracks,
    collections,
    engines,
    focus_retention,
    focus_sessions,
    focus_work,
    generations,
    idempotency,
    key_events,
    keys,
    library,
    organizations,
    shares,
    spending,
    tracks,
)
from models.access import Caller
from models.audio import StoredAudio
from models.base import metadata, now
from models.db import migrate
from models.db.connection import execute, transaction
from models.focus_sessions import Wish
from models.generation_tables import workers
from models.generations import JobLimits, Order
from models.upsert import insert_or_ignore
from ops import after_restore, backup
from ops import restore as restoring
from ops.errors import CommandError
from tools.endurance.load import Load, names
from tools.testing import databases
from tools.testing.cli_runner import Shell
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


def restore(file: Path, url: str, *, force: bool = False, since: datetime | None = None) -> after_restore.Result:
    return restoring.restore(
        file, url, lambda _done, _total: None, keys.Actor("ida", "restore"), force=force, since=since
    )


def rows(file: Path | str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, but for the versions of collections, after an integrity check."""
    with closing(sqlite3.connect(str(file).removeprefix("sqlite:///"))) as opened:
        assert backup.integrity_errors(opened) == []
        columns = {
            name: ", ".join(c.name for c in table.c if c.name != "version") for name, table in metadata.tables.items()
        }
        columns["alembic_version"] = "version_num"
        return {name: sorted(opened.execute(f"SELECT {all_} FROM {name}"), key=repr) for name, all_ in columns.items()}  # noqa: S608


def versions(url: str) -> list[int]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as opened:
        return [row[0] for row in opened.execute("SELECT version FROM collections")]


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


ALTERED = {
    "nothing but a revision": "PRAGMA foreign_keys = OFF;" + "".join(f"DROP TABLE {name};" for name in metadata.tables),
    "a view for a table": "ALTER TABLE api_keys RENAME TO k; CREATE VIEW api_keys AS SELECT * FROM k",
    "a column too few": "ALTER TABLE api_keys DROP COLUMN replaced_by",
    "a column too many": "ALTER TABLE collections ADD COLUMN extra TEXT",
    "a table that is not strict": "DROP TABLE key_events; CREATE TABLE key_events (organization_id TEXT)",
    "no unique index": "DROP TABLE idempotency_keys; CREATE TABLE idempotency_keys AS SELECT 1 AS key",
    "an empty revision": "UPDATE alembic_version SET version_num = ''",
    "an older revision than its tables": "UPDATE alembic_version SET version_num = '0001'",
    "an unknown revision": "UPDATE alembic_version SET version_num = 'abcd'",
    "a number for a revision": "DROP TABLE alembic_version; CREATE TABLE alembic_version (version_num);"
    " INSERT INTO alembic_version VALUES (2)",
    "NULL for a revision": "DROP TABLE alembic_version; CREATE TABLE alembic_version (version_num);"
    " INSERT INTO alembic_version VALUES (NULL)",
    "a blob for a revision": "DROP TABLE alembic_version; CREATE TABLE alembic_version (version_num);"
    " INSERT INTO alembic_version VALUES (x'00ff')",
    "two revisions": "INSERT INTO alembic_version VALUES ('0001')",
    "no revision": "DELETE FROM alembic_version",
    "a row that refers to nothing": "PRAGMA foreign_keys = OFF; DELETE FROM memberships",
    "another schema": "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE tracks (a)'"
    " WHERE name = 'tracks'",
}


@pytest.mark.parametrize("fault", ALTERED)
def test_restore_of_a_database_of_another_kind_is_refused(url: str, tmp_path: Path, fault: str) -> None:
    copy, before = tmp_path / "copy.db", rows(url)
    save(url, copy)
    with closing(sqlite3.connect(copy)) as opened:
        opened.executescript(ALTERED[fault])
    with pytest.raises(CommandError, match=r"^The (file|backup) .* (name another one|nothing was replaced)\.$"):
        restore(copy, url, force=True)
    assert rows(url) == before
    assert sorted(file.name for file in tmp_path.iterdir() if file.is_dir()) == []


def test_restore_of_the_database_itself_is_refused(url: str, tmp_path: Path) -> None:
    target, before = Path(url.removeprefix("sqlite:///")), rows(url)
    (tmp_path / "symbolic").symlink_to(target)
    (tmp_path / "hard").hardlink_to(target)
    for file in (target, tmp_path / "symbolic", tmp_path / "hard"):
        with pytest.raises(CommandError, match="is the database itself: name a backup"):
            restore(file, url, force=True)
    assert rows(url) == before


def test_a_full_disk_is_no_fault_of_the_backup(url: str, tmp_path: Path) -> None:
    copy, before = tmp_path / "copy.db", rows(url)
    save(url, copy)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (8192, copy.stat().st_size - 4096):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            with pytest.raises(CommandError, match=r"cannot be (read|copied|written)|nothing was replaced"):
                restore(copy, url, force=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert rows(url) == before
    restore(copy, url, force=True)


def test_a_target_that_is_no_database_is_kept(url: str, tmp_path: Path) -> None:
    letter, copy = tmp_path / "letter.txt", tmp_path / "copy.db"
    save(url, copy)
    letter.write_text("a letter to my aunt", encoding="utf-8")
    with pytest.raises(CommandError, match=r"cannot be read \(file is not a database\): move the file away first"):
        restore(copy, f"sqlite:///{letter}", force=True)
    assert letter.read_text(encoding="utf-8") == "a letter to my aunt"


def test_an_older_backup_is_updated_before_it_replaces_anything(url: str, tmp_path: Path) -> None:
    older, before = databases.sqlite_url(tmp_path), rows(url)
    migrate.upgrade(older)
    _populate(older, "bob")
    migrate.downgrade(older, "0001")
    copy = tmp_path / "older.db"
    save(older, copy)
    assert restore(copy, url, force=True).working_again == []
    after = rows(url)
    assert after["alembic_version"] == before["alembic_version"]
    assert {row[1] for row in after["memberships"]} == {"bob"}


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4])
def test_a_killed_restore_leaves_the_old_or_the_new_database(url: str, tmp_path: Path, delay: float) -> None:
    copy = tmp_path / "copy.db"
    save(url, copy)
    old = rows(url)
    _populate(url, "later")
    new, target = rows(url), Path(url.removeprefix("sqlite:///"))
    words = [sys.executable, "-m", "cli", "restore", str(copy), "--force"]
    with subprocess.Popen(words, cwd=ROOT, env=environment(url), stderr=subprocess.PIPE) as process:
        while process.poll() is None and not list(tmp_path.glob(f".{target.name}.*")):
            time.sleep(0.001)
        time.sleep(delay)
        process.kill()
    assert rows(url) in (old, new)
    command(url, "restore", str(copy), "--force")
    assert rows(url) == old


def test_no_version_of_the_lost_history_is_given_out_again(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    save(url, copy)
    for _ in range(3):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as opened, opened:
            opened.execute("UPDATE collections SET version = version + 1000000")
        lost = max(versions(url))
        restore(copy, url, force=True)
        assert min(versions(url)) > lost
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as opened, opened:
        opened.execute("UPDATE collections SET version = 9000000000000000")  # a clock that was wrong
    restore(copy, url, force=True)
    assert min(versions(url)) == 9000000000000001


@pytest.mark.slow
def test_a_tag_of_the_lost_history_matches_nothing(tmp_path: Path) -> None:
    url, copy = databases.sqlite_url(tmp_path), tmp_path / "copy.db"
    migrate.upgrade(url)
    with running(url, tmp_path) as server, server.client(server.key()) as client:
        made = client.post("collections", json={"name": "One"})
        place, secret = made.json()["id"], client.headers["X-API-Key"]
        save(url, copy)
        lost = client.patch(f"collections/{place}", json={"name": "Lost"}).headers["ETag"]
    restore(copy, url, force=True)
    with running(url, tmp_path) as server, server.client(secret) as client:
        client.patch(f"collections/{place}", json={"name": "Other"})
        for tag in (made.headers["ETag"], lost):
            assert client.get(f"collections/{place}", headers={"If-None-Match": tag}).status_code == 200
            assert client.get(f"collections/{place}/tracks", headers={"If-None-Match": tag}).status_code == 200
            changed = client.patch(f"collections/{place}", json={"name": "Mine"}, headers={"If-Match": tag})
            assert changed.status_code == 412
        current = client.get(f"collections/{place}").headers["ETag"]
        assert client.get(f"collections/{place}", headers={"If-None-Match": current}).status_code == 304


def _keys(url: str) -> dict[str, str]:
    """Six keys, one for each thing that happens to it after the backup."""
    with connected(url):
        organizations.join(HOME, "alice")
        names = ("untouched", "revoked", "paused", "resumed", "deleted", "revoked before")
        made = {name: keys.make(HOME, "alice", ["music:read"], pepper=b"x")[0].id for name in names}
        keys.set_state(made["revoked before"], "deactivated")
    return made


def _withdraw(url: str, made: dict[str, str]) -> None:
    with connected(url):
        keys.set_state(made["revoked"], "deactivated")
        keys.set_state(made["paused"], "paused")
        keys.set_state(made["resumed"], "paused")
        keys.set_state(made["resumed"], "active")
        keys.remove(made["deleted"])
        keys.make(HOME, "alice", [], pepper=b"x")


def _states(url: str, made: dict[str, str]) -> dict[str, str]:
    with connected(url):
        return {name: found.state for name, key_id in made.items() if (found := keys.get(key_id))}


def test_keys_that_work_again_are_named_and_revoked_on_request(url: str, tmp_path: Path) -> None:
    made, copy = _keys(url), tmp_path / "copy.db"
    save(url, copy)
    moment = datetime.now(UTC)
    _withdraw(url, made)
    later = tmp_path / "later.db"
    save(url, later)
    withdrawn = {made["revoked"], made["paused"], made["deleted"]}

    result = restore(copy, url, force=True)
    assert (result.withdrawn_keys, set(result.working_again or ())) == ([], withdrawn)
    assert set(_states(url, made).values()) == {"active", "deactivated"}

    restore(later, url, force=True)
    result = restore(copy, url, force=True, since=moment + timedelta(hours=1))
    assert (result.withdrawn_keys, set(result.working_again or ())) == ([], withdrawn)

    restore(later, url, force=True)
    result = restore(copy, url, force=True, since=moment)
    assert (set(result.withdrawn_keys), result.working_again) == (withdrawn, [])
    assert _states(url, made) == {
        "untouched": "active", "revoked": "deactivated", "paused": "paused", "resumed": "active",
        "deleted": "deactivated", "revoked before": "deactivated",
    }  # fmt: skip
    with connected(url):
        [event] = [one for one in key_events.list_all() if one.key_id == made["revoked"] and one.event == "revoked"]
    assert (event.actor, event.command) == ("ida", "restore")


def test_without_a_key_log_nobody_knows_which_keys_work_again(url: str, tmp_path: Path) -> None:
    copy, elsewhere = tmp_path / "copy.db", databases.sqlite_url(tmp_path)
    save(url, copy)
    with pytest.raises(CommandError, match="has no key log: restore without --revoke-since"):
        restore(copy, elsewhere, since=datetime.now(UTC))
    assert restore(copy, elsewhere).working_again is None


@pytest.mark.slow
def test_after_restore_does_the_same_from_a_printed_key_log(shell: Shell) -> None:
    """As after pg_restore: the database is another one, and the log of the lost one was printed before."""
    shell.text("migrate")
    made = _keys(shell.url)
    with connected(shell.url):
        caller = Caller("alice", frozenset({HOME}), frozenset(), None)
        one = collections.create(caller, HOME, name="One")
    moment = datetime.now(UTC)
    log = shell.folder / "log.json"
    events = [
        {"key_id": made[name], "event": event, "happened_at": (moment + timedelta(minutes=1)).isoformat()}
        for name, event in (("revoked", "revoked"), ("paused", "paused"), ("deleted", "deleted"))
    ]
    log.write_text(json.dumps([*shell.json("keys", "log"), *events]))
    withdrawn = {made["revoked"], made["paused"], made["deleted"]}
    assert shell.json("after-restore")["working_again"] is None
    with connected(shell.url):
        assert collections.get(caller, HOME, one.id).version > 10**15
    found = shell.json("after-restore", "--key-log", str(log))
    assert (found["withdrawn_keys"], set(found["working_again"])) == ([], withdrawn)
    found = shell.json("after-restore", "--key-log", str(log), "--revoke-since", moment.isoformat())
    assert (set(found["withdrawn_keys"]), found["working_again"]) == (withdrawn, [])
    assert _states(shell.url, made)["paused"] == "paused"
    assert "give --key-log too" in shell.error("after-restore", "--revoke-since", "2026-11-29")
    assert "is no time" in shell.error("after-restore", "--key-log", str(log), "--revoke-since", "yesterday")
    log.write_text("[1]")
    assert "is no output of `music-studio keys log --json`" in shell.error("after-restore", "--key-log", str(log))


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


def _play_a_session(caller: Caller) -> None:
    """A focus session with one segment, which has ended and lost its audio, as those of a restored database have."""
    wish = Wish("focus", "studio", None, "low", 40, 30, None, b"1" * 32)
    session, _ = focus_sessions.start(caller, HOME, wish, 0)
    work = focus_work.take(HOME, session.id, "worker")
    assert work is not None
    focus_work.succeed(work, StoredAudio(f"{HOME}/{work.id}-00000000.mp3", 5, "audio/mpeg"), 120_000, 3000)
    focus_retention.end_all()


def _populate(url: str, user: str = "alice") -> None:
    caller = Caller(user, frozenset({HOME}), frozenset(), None)
    with connected(url):
        organizations.join(HOME, user)
        keys.make(HOME, user, ["music:read"], pepper=b"x")
        track = tracks.add(HOME, user, title="Rain", source_digest=user.encode().ljust(32))
        assert track is not None
        made = collections.create(caller, HOME, name="Focus", cover_track_id=track.id)
        collection_tracks.add(caller, HOME, made.id, track.id, None)
        library.save(caller, HOME, track.id)
        shares.share_track(caller, HOME, track.id, shares.Terms(), user.encode().ljust(32))
        transaction(idempotency.store)(HOME, user, "key", b"1" * 32, 201, {}, b"{}")
        engines.change("studio", cents_per_minute=25)
        spending.set_limits(HOME, {"day": 1_000_000})
        order = Order("studio", "creation", "rain", 30, True, None, track.id, ["calm"], "Rain", user, b"1" * 32)
        generations.create(caller, HOME, order, JobLimits(25, 10))
        _play_a_session(caller)
        at = now()
        execute(insert_or_ignore(workers).values(id=user, started_at=at, heartbeat_at=at))
