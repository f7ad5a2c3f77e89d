"""Database of the mock: in-memory SQLite with the demo data, or with those of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mock.accounts import DEMO, PEPPER, Contents, add_accounts
from mock.data_file import contents_of, load_users, read_users
from models.audio_store import AudioStore
from models.db import migrate
from models.db.database import Database
from ops import demo, demo_audio


def open_demo_database(store: AudioStore) -> Database:
    """A new in-memory database with the demo data; its tracks get a tone in the store."""
    database = _new_database()
    with database.use():
        demo.load(PEPPER)
        demo_audio.add("tone", store)
        add_accounts(DEMO.accounts)
    return database


def open_database(store: AudioStore, file: Path | None, document: dict[str, Any]) -> tuple[Database, Contents]:
    """A new in-memory database with the data of the file, or with the demo data. Raises CommandError."""
    if file is None:
        return open_demo_database(store), DEMO
    users = read_users(file, document)
    database = _new_database()
    with database.use():
        contents = contents_of(users)
        add_accounts(contents.accounts)
        load_users(users, store)
    return database, contents


def _new_database() -> Database:
    database = Database("sqlite://")
    migrate.upgrade(database.url)
    return database
