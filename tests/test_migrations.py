"""Migrations: the same tables as the code, up and down, concurrently, and with a running server."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, text
from sqlalchemy.engine.interfaces import ReflectedIndex

from models import collection_tracks, collections, idempotency, library, organizations, tracks
from models.base import metadata
from models.db import connection, engines, migrate, schema_version
from models.db.database import Database
from models.exceptions import Unavailable
from tools.testing import databases
from tools.testing.callers import HOME, caller

ROOT = Path(__file__).parents[1]
ALICE = caller("alice", HOME)


@pytest.fixture(params=databases.KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with databases.fresh(request.param, tmp_path) as found:
        yield found


def test_an_upgraded_database_has_the_tables_of_the_code(url: str) -> None:
    migrate.upgrade(url)
    with engines.create_unpooled(url, wait_seconds=1).connect() as opened:
        assert compare_metadata(MigrationContext.configure(opened), metadata) == []


def test_an_upgraded_database_has_the_constraints_of_the_code(url: str, tmp_path: Path) -> None:
    migrate.upgrade(url)
    with databases.fresh("sqlite" if url.startswith("sqlite") else "postgresql", tmp_path) as other:
        engine = engines.create_unpooled(other, wait_seconds=1)
        metadata.create_all(engine)
        with engine.connect() as made, engines.create_unpooled(url, wait_seconds=1).connect() as migrated:
            assert _constraints(migrated) == _constraints(made)


def test_migrations_run_backwards_and_forwards_with_rows_in_the_tables(url: str) -> None:
    migrate.upgrade(url)
    _populate(url)
    migrate.downgrade(url, "base")
    assert _tables(url) == {"alembic_version"}
    migrate.upgrade(url)
    _populate(url)
    assert _tables(url) == {*metadata.tables, "alembic_version"}


def test_tracks_without_audio_are_kept_and_saved_by_their_creators(url: str) -> None:
    migrate.upgrade(url, "0002")
    _insert_old_tracks(url)
    migrate.upgrade(url)
    with Database(url):
        imported, demo = library.list_page(ALICE, HOME, 10, 0)
        assert (imported.title, imported.engine, imported.mode, imported.duration_ms) == (
            "Rain",
            "import",
            "creation",
            5,
        )
        assert (imported.licence_class, imported.commercial_use, imported.requires_attribution) == (
            "unclear", False, True,
        )  # fmt: skip
        assert (demo.licence_class, demo.commercial_use, demo.requires_attribution) == (
            "commercial_cleared", True, False,
        )  # fmt: skip
        assert (imported.audio_name, imported.deleted_at, imported.source_digest) == (None, None, b"1" * 32)
        (collection,) = collections.list_page(ALICE, HOME, 10, 0)
        assert [member.track_id for member in collection_tracks.list_page(ALICE, HOME, collection.id, 9, 0)[1]] == [
            imported.id
        ]
        assert collection.cover_track_id == imported.id
        assert library.list_page(caller("bob", HOME), HOME, 10, 0) == []
        assert library.save(ALICE, HOME, imported.id).source == "own"
    migrate.downgrade(url, "0002")
    assert _old_tracks(url) == [("Bells", "commercial_cleared"), ("Rain", "unclear")]


OLD_ROWS = """
INSERT INTO organizations VALUES (:home, :at);
INSERT INTO memberships VALUES (:home, 'alice', :at), (:home, 'bob', :at);
INSERT INTO tracks
    (organization_id, id, creator_id, title, duration_ms, instrumental, licence_class, source_digest, created_at)
VALUES
    (:home, 'mtrack_000000000001', 'alice', 'Rain', 5, :no, 'unspecified', :digest, :later),
    (:home, 'mtrack_000000000002', 'alice', 'Bells', NULL, :no, 'demo', NULL, :at);
INSERT INTO collections VALUES
    (:home, 'mcoll_000000000001', 'alice', 'Focus', NULL, 'mtrack_000000000001', NULL, 1, 2, :at, :at, NULL);
INSERT INTO collection_tracks VALUES (:home, 'alice', 'mcoll_000000000001', 'mtrack_000000000001', 1, :at)
"""


def _insert_old_tracks(url: str) -> None:
    """Two tracks of alice's as revision 0002 has them; one is in a collection of hers, and its cover."""
    moment = "2026-06-28T09:00:00.000000Z"
    values = {"home": HOME, "at": moment, "later": moment.replace("09", "10"), "digest": b"1" * 32, "no": False}
    with engines.create_unpooled(url, wait_seconds=1).connect() as opened:
        for statement in OLD_ROWS.split(";"):
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            opened.execute(text(statement), used)
        opened.commit()


def _old_tracks(url: str) -> list[tuple[str, str]]:
    with engines.create_unpooled(url, wait_seconds=1).connect() as opened:
        rows = opened.execute(text("SELECT title, licence_class FROM tracks ORDER BY title"))
        return [(title, licence) for title, licence in rows]


def test_a_migration_that_breaks_a_reference_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite checks no reference while its tables are changed, so all are checked at the end."""
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    _populate(url)
    monkeypatch.setattr("models.db.migrate.command.upgrade", lambda config, _: _delete_tracks(config))
    with pytest.raises(RuntimeError, match="would refer to rows that do not exist"):
        migrate.upgrade(url)
    with Database(url):
        assert len(tracks.list_all(HOME)) == 1


def _delete_tracks(config: Config) -> None:
    config.attributes["connection"].exec_driver_sql("DELETE FROM tracks")


def test_a_second_upgrade_changes_nothing(url: str) -> None:
    migrate.upgrade(url)
    _populate(url)
    migrate.upgrade(url)
    with Database(url):
        assert [found.name for found in collections.list_page(ALICE, HOME, 10, 0)] == ["Focus"]


@pytest.mark.slow
def test_concurrent_migrations_succeed(url: str) -> None:
    code = "import sys; from models.db import migrate; migrate.upgrade(sys.argv[1])"
    command = [sys.executable, "-c", code, url]
    runs = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    errors = [run.communicate(timeout=60)[1] for run in runs]
    assert [run.returncode for run in runs] == [0] * 4, errors
    with Database(url) as found:
        found.require_schema()


def test_a_database_without_the_newest_schema_is_not_ready(url: str) -> None:
    with Database(url) as found:
        with pytest.raises(Unavailable, match="no schema"):
            found.require_schema()
        migrate.upgrade(url)
        found.require_schema()
        migrate.downgrade(url, "base")
        with pytest.raises(Unavailable, match="another schema"):
            found.require_schema()


def test_server_keeps_working_during_an_additive_migration(url: str) -> None:
    migrate.upgrade(url)
    _populate(url)
    with Database(url) as found:
        _use_every_operation(url, found)


def _use_every_operation(url: str, found: Database) -> None:
    (collection,) = collections.list_page(ALICE, HOME, 10, 0)
    _expand(url, 1)
    found.require_schema()
    assert collections.get(ALICE, HOME, collection.id) == collection
    changed = collections.update(ALICE, HOME, collection.id, {"name": "Rain"}, collection.version)
    collection_tracks.remove(ALICE, HOME, collection.id, str(collection.cover_track_id), changed.version)
    collection_tracks.add(ALICE, HOME, collection.id, str(collection.cover_track_id), None)
    collection_tracks.reorder(ALICE, HOME, collection.id, [str(collection.cover_track_id)], None)
    assert len(collection_tracks.list_page(ALICE, HOME, collection.id, 10, 0)[1]) == 1
    connection.transaction(idempotency.store)(HOME, "alice", "key", b"1" * 32, 200, {}, b"{}")
    collections.delete(ALICE, HOME, collections.create(ALICE, HOME, name="New").id, 1)


def test_server_two_schema_versions_behind_is_not_ready(url: str) -> None:
    migrate.upgrade(url)
    _expand(url, 2)
    with Database(url) as found, pytest.raises(Unavailable, match="another schema"):
        found.require_schema()


def test_missing_database_folder_is_created(tmp_path: Path) -> None:
    migrate.upgrade(f"sqlite:///{tmp_path / 'a' / 'b' / 'music.db'}")
    assert (tmp_path / "a" / "b" / "music.db").exists()


def test_migrations_are_numbered_consecutively() -> None:
    names = sorted(file.name for file in (ROOT / "models" / "migrations" / "versions").glob("*.py"))
    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
    assert schema_version.head() == names[-1][:4]


@pytest.mark.parametrize("url", ["mysql://localhost/music", "sqlite:///:memory:"])
def test_unsupported_database_url_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="must be sqlite:///<file> or postgresql://"):
        Database(url)


def _expand(url: str, versions: int) -> None:
    """An additive migration: columns and tables that the former version does not use."""
    with engines.create_unpooled(url, wait_seconds=1).connect() as connection:
        for statement in (
            "ALTER TABLE collections ADD COLUMN colour TEXT",
            "ALTER TABLE collection_tracks ADD COLUMN note TEXT DEFAULT '' NOT NULL",
            "CREATE TABLE shares (id TEXT PRIMARY KEY)",
            "CREATE INDEX ix_collections_colour ON collections (colour)",
        ):
            connection.exec_driver_sql(statement)
        newer = f"{int(schema_version.head()) + versions:04}"
        connection.execute(text("UPDATE alembic_version SET version_num = :newer"), {"newer": newer})
        connection.commit()


def _populate(url: str) -> None:
    with Database(url):
        organizations.join(HOME, "alice")
        track = tracks.add(HOME, "alice", title="Rain")
        assert track is not None
        made = collections.create(ALICE, HOME, name="Focus", cover_track_id=track.id)
        collection_tracks.add(ALICE, HOME, made.id, track.id, None)


def _tables(url: str) -> set[str]:
    with engines.create_unpooled(url, wait_seconds=1).connect() as connection:
        return set(inspect(connection).get_table_names())


def _constraints(connection: Connection) -> dict[str, object]:
    found = MetaData()
    found.reflect(connection)
    look = inspect(connection)
    return {
        name: (
            sorted(str(rule) for rule in look.get_check_constraints(name)),
            sorted(str(rule) for rule in look.get_foreign_keys(name)),
            sorted(
                (str(index["name"]), str(index["column_names"]), bool(index["unique"]), _condition(index))
                for index in look.get_indexes(name)
            ),
            table.dialect_options["sqlite"].get("strict"),
        )
        for name, table in found.tables.items()
        if name != "alembic_version"
    }


def _condition(index: ReflectedIndex) -> str:
    """What a row must be to stand in the index, without its spelling: SQLite keeps that of the statement."""
    options = index.get("dialect_options", {})
    text = str(options.get("postgresql_where", options.get("sqlite_where", "")))
    return re.sub(r"[\s()]|\w+\.", "", text).lower()


def test_newest_migration_is_the_alembic_head() -> None:
    assert ScriptDirectory(str(schema_version.FOLDER)).get_heads() == [schema_version.head()]
