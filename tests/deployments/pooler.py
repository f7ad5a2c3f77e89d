"""pgbouncer in transaction mode, in front of the PostgreSQL of the tests."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import URL, make_url

from models.db import engines

# Fewer than the service has threads, so that clients share connections.
CONNECTIONS = 3
START_SECONDS = 10


@contextmanager
def pooled(url: str, log_folder: Path, **settings: str) -> Iterator[str]:
    """URL of the same database through pgbouncer; the settings go into its section [pgbouncer]."""
    behind = make_url(url)
    with tempfile.TemporaryDirectory(prefix="pooler-") as name, (log_folder / "pgbouncer.log").open("ab") as log:
        folder = Path(name)
        (folder / "pgbouncer.ini").write_text(_config(behind, folder, settings), encoding="utf-8")
        user = _user(behind, folder)
        process = subprocess.Popen(["pgbouncer", folder / "pgbouncer.ini"], user=user, stdout=log, stderr=log)
        try:
            _await(folder, process)
            before = behind.set(host=None, port=None, query={"host": name, "port": "6432"})
            yield before.render_as_string(hide_password=False)
        finally:
            process.terminate()
            process.wait(10)


def _config(behind: URL, folder: Path, settings: dict[str, str]) -> str:
    host = behind.query.get("host", behind.host)
    known = {"host": host, "port": behind.port or 5432, "user": behind.username, "password": behind.password}
    target = " ".join(f"{name}={value}" for name, value in known.items() if value)
    chosen = {
        "unix_socket_dir": folder,
        "auth_type": "any",
        "admin_users": behind.username,
        "pool_mode": "transaction",
        "default_pool_size": CONNECTIONS,
        "max_client_conn": 500,
    } | settings
    lines = [f"{name} = {value}" for name, value in chosen.items()]
    return "\n".join(["[databases]", f"* = {target}", "[pgbouncer]", *lines]) + "\n"


def _user(behind: URL, folder: Path) -> int | None:
    """User for pgbouncer, which refuses root: the owner of PostgreSQL's socket, or nobody."""
    if os.geteuid():
        return None
    host = str(behind.query.get("host", ""))
    owner = Path(host).stat() if host.startswith("/") else None
    user = owner.st_uid if owner and owner.st_uid else 65534
    for place in (folder, folder / "pgbouncer.ini"):
        os.chown(place, user, -1)
    return user


def _await(folder: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (folder / ".s.PGSQL.6432").exists():
        assert process.poll() is None, "pgbouncer ended: see pgbouncer.log beside the servers' logs"
        assert time.monotonic() < deadline, "pgbouncer does not listen"
        time.sleep(0.02)


def set_role_timeouts(url: str) -> None:
    """Sets the timeouts of the role, as docs/operating.md says."""
    found = make_url(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in engines.session_settings():
            order = f'ALTER ROLE "{found.username}" IN DATABASE "{found.database}" SET {name} = \'{value}\''
            connection.execute(order.encode())
