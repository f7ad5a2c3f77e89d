"""SQLite writer: atomic transactions, SQLAlchemy exceptions, lock timeout and reconnect."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from models import collections, schema
from models.collections import Collection
from models.db import connection as database
from models.db import migrate
from models.db.database import Database
from models.db.engines import BUSY_MS, create_unpooled
from models.db.sqlite_writer import SQLiteWriter
from models.exceptions import Unavailable
from models.organizations import join
from tools.testing import databases
from tools.testing.callers import ALICE, HOME

NAMES = select(schema.collections.c.name)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    place = databases.sqlite_url(tmp_path)
    migrate.upgrade(place)
    with Database(place):
        join(HOME, "alice")
        yield place


@database.transaction
def create_two(second: Exception | None) -> tuple[Collection, ...]:
    first = collections.create(ALICE, HOME, name="first")
    if second is not None:
        raise second
    return first, collections.create(ALICE, HOME, name="second")


def names() -> list[str]:
    return sorted(row.name for row in database.fetch_all(NAMES))


def test_transaction_is_atomic(url: str) -> None:
    for failure in (ValueError("no"), KeyboardInterrupt()):
        with pytest.raises(type(failure)):
            create_two(failure)  # type: ignore[arg-type] # KeyboardInterrupt is no Exception, and must be rolled back too
        assert names() == []
    assert [made.name for made in create_two(None)] == ["first", "second"] == names()


def test_prepared_and_other_statements_share_one_transaction(url: str) -> None:
    @database.transaction
    def rename(failure: Exception | None) -> None:
        made = collections.create(ALICE, HOME, name="old")
        database.execute(text("UPDATE collections SET name = 'new' WHERE id = :id"), id=made.id)
        if failure is not None:
            raise failure

    with pytest.raises(ValueError, match="no"):
        rename(ValueError("no"))
    assert names() == []
    rename(None)
    assert names() == ["new"]


def test_constraint_violation_raises_sqlalchemy_error_and_rolls_back(url: str) -> None:
    @database.transaction
    def break_a_rule() -> None:
        collections.create(ALICE, HOME, name="kept?")
        collections.create(ALICE, HOME, name="x", cover_image_url="y" * 100_000)

    with pytest.raises(IntegrityError) as raised:
        break_a_rule()
    assert isinstance(raised.value.orig, sqlite3.IntegrityError)
    assert names() == []
    create_two(None)


def test_lock_wait_is_limited_to_the_given_timeout(url: str) -> None:
    writer = SQLiteWriter(create_unpooled(url, wait_seconds=BUSY_MS // 1000))
    with closing(sqlite3.connect(str(make_url(url).database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"), writer.transaction(1):
            pass
    assert writer.in_use == 0
    with writer.transaction(1):
        assert writer.in_use == 1
        assert [*writer.execute(text("PRAGMA busy_timeout"), {}).all()] == [(BUSY_MS,)]
    writer.close()


def test_broken_connection_is_reopened(url: str) -> None:
    writer = SQLiteWriter(create_unpooled(url, wait_seconds=BUSY_MS // 1000))
    writer._driver().close()
    with pytest.raises(ProgrammingError), writer.transaction(BUSY_MS):
        pass
    with writer.transaction(BUSY_MS):
        assert writer.execute(NAMES, {}).all() == []
    writer.close()


def test_failed_commit_raises_unavailable(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = SQLiteWriter._run

    def without_commit(self: SQLiteWriter, words: str, values: tuple[object, ...] = ()) -> tuple[list[object], int]:
        if words == "COMMIT":
            raise OperationalError(words, None, sqlite3.OperationalError("disk I/O error"))
        return run(self, words, values)

    with monkeypatch.context() as patched:
        patched.setattr(SQLiteWriter, "_run", without_commit)
        with pytest.raises(Unavailable):
            create_two(None)
    assert names() == []
    create_two(None)
