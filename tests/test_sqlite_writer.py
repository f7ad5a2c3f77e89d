"""The connection on which a process writes SQLite: what fails is undone, said in SQLAlchemy's words, and soon over."""

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
from tests.test_models import ALICE, HOME
from tools.testing import databases

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


def test_a_transaction_is_there_as_a_whole_or_not_at_all(url: str) -> None:
    for failure in (ValueError("no"), KeyboardInterrupt()):
        with pytest.raises(type(failure)):
            create_two(failure)  # type: ignore[arg-type] # an interrupt is no Exception, and must be undone too
        assert names() == []
    assert [made.name for made in create_two(None)] == ["first", "second"] == names()


def test_what_is_prepared_and_what_is_not_are_one_transaction(url: str) -> None:
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


def test_a_broken_rule_is_said_as_sqlalchemy_says_it_and_undone(url: str) -> None:
    @database.transaction
    def break_a_rule() -> None:
        collections.create(ALICE, HOME, name="kept?")
        collections.create(ALICE, HOME, name="x", cover_image_url="y" * 100_000)

    with pytest.raises(IntegrityError) as said:
        break_a_rule()
    assert isinstance(said.value.orig, sqlite3.IntegrityError)
    assert names() == []
    create_two(None)


def test_a_locked_file_is_waited_for_no_longer_than_is_left(url: str) -> None:
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


def test_after_a_failure_another_connection_is_opened_when_the_old_one_is_of_no_use(url: str) -> None:
    writer = SQLiteWriter(create_unpooled(url, wait_seconds=BUSY_MS // 1000))
    writer._driver().close()
    with pytest.raises(ProgrammingError), writer.transaction(BUSY_MS):
        pass
    with writer.transaction(BUSY_MS):
        assert writer.execute(NAMES, {}).all() == []
    writer.close()


def test_a_commit_that_fails_is_no_success(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
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
