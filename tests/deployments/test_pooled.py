"""Behind pgbouncer in transaction mode: every command works and leaves no session state behind."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import psycopg
import pytest

from models.db import engines, migrate
from tests.deployments.pooler import CONNECTIONS, pooled, set_role_timeouts
from tools.testing import databases
from tools.testing.server_process import environment, running
from tools.testing.service import ROOT, Service, at_once


class PooledDatabase(NamedTuple):
    """Direct URL of a migrated database, and its URL through the pooler."""

    url: str
    through: str


@pytest.fixture
def database(tmp_path: Path) -> Iterator[PooledDatabase]:
    with databases.postgres_database() as url, pooled(url, tmp_path) as through:
        migrate.upgrade(url)
        yield PooledDatabase(url, through)


def _command(url: str, *words: str, prepare: str = "off") -> subprocess.CompletedProcess[str]:
    own = {**environment(url), "MUSIC_STUDIO_PREPARED_STATEMENTS": prepare}
    command = [sys.executable, "-m", "cli", *words]
    return subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, timeout=60, check=False)


def test_many_clients_share_few_database_sessions(server: Service, newcomer: httpx.Client) -> None:
    made = at_once(16, lambda number: newcomer.post("collections", json={"name": f"Number {number}"}).status_code)
    assert made == [201] * 16
    with psycopg.connect(server.database_url, autocommit=True) as opened:
        ours = opened.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()").fetchone()
    assert ours is not None
    assert 1 < ours[0] <= CONNECTIONS + 2, "sessions of the pooler, of Service and of this test"


def test_missing_role_timeouts_give_the_alter_role_statements(database: PooledDatabase, tmp_path: Path) -> None:
    refused = _command(database.through, "serve", "--port", "0")
    assert refused.returncode == 1
    orders = [line.strip() for line in refused.stderr.splitlines() if "ALTER ROLE" in line]
    assert len(orders) == len(engines.session_settings())
    with psycopg.connect(database.url, autocommit=True) as opened:
        for order in orders:
            opened.execute(order.encode())
    with psycopg.connect(database.through.replace(_name(database), "/pgbouncer"), autocommit=True) as console:
        console.execute("RECONNECT")
    with running(database.through, tmp_path, PREPARED_STATEMENTS="off") as server:
        assert server.health("ready") == 200


def _name(database: PooledDatabase) -> str:
    return "/" + database.url.partition("?")[0].rpartition("/")[2]


def test_operating_manual_lists_the_role_timeouts() -> None:
    manual = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    missing = [
        f"{name} = '{value}'" for name, value in engines.session_settings() if f"SET {name} = '{value}';" not in manual
    ]
    assert not missing


def test_prepared_statements_behind_the_pooler_are_refused_with_advice(database: PooledDatabase) -> None:
    refused = _command(database.through, "serve", "--port", "0", prepare="on")
    assert refused.returncode == 1
    assert "set MUSIC_STUDIO_PREPARED_STATEMENTS=off" in refused.stderr


def test_migration_leaves_no_locks_or_timeouts_in_sessions(tmp_path: Path) -> None:
    with databases.postgres_database() as url, pooled(url, tmp_path) as through:
        set_role_timeouts(url)
        for _ in range(3):
            moved = _command(through, "migrate")
            assert moved.returncode == 0, moved.stderr
        with psycopg.connect(url, autocommit=True) as opened:
            assert opened.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
        assert _timeouts(through) == {("1200ms", "2s")}


def _timeouts(through: str) -> set[tuple[str, ...]]:
    """lock_timeout and statement_timeout of all sessions, queried at the same time."""
    ask = "SELECT pg_sleep(0.3)::text, current_setting('lock_timeout'), current_setting('statement_timeout')"

    def found(_number: int) -> tuple[str, ...]:
        with psycopg.connect(through, autocommit=True, prepare_threshold=None) as opened:
            row = opened.execute(ask).fetchone()
        assert row is not None
        return tuple(row[1:])

    return set(at_once(CONNECTIONS, found))


def test_keys_are_created_through_the_pooler(database: PooledDatabase) -> None:
    set_role_timeouts(database.url)
    made = _command(database.through, "keys", "create", "--organization", "org_home1", "--user", "alice")
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip().startswith("msk_")
