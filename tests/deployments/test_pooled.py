"""Behind pgbouncer in transaction mode every command works, and nothing is left in a session that is not ours."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import psycopg
import pytest

from models.db import engines, migrate
from tests.deployments.pooler import CONNECTIONS, limit_role, pooled
from tools.testing import databases
from tools.testing.server_process import environment, running
from tools.testing.service import ROOT, Service, at_once


class Pooled(NamedTuple):
    """A database with tables: its own address, and the one that leads through the pooler."""

    url: str
    through: str


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Pooled]:
    with databases.postgres_database() as url, pooled(url, tmp_path) as through:
        migrate.upgrade(url)
        yield Pooled(url, through)


def _command(url: str, *words: str, prepare: str = "off") -> subprocess.CompletedProcess[str]:
    own = {**environment(url), "MUSIC_STUDIO_PREPARED_STATEMENTS": prepare}
    command = [sys.executable, "-m", "cli", *words]
    return subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, timeout=60, check=False)


def test_many_clients_share_few_sessions(server: Service, newcomer: httpx.Client) -> None:
    made = at_once(16, lambda number: newcomer.post("collections", json={"name": f"Number {number}"}).status_code)
    assert made == [201] * 16
    with psycopg.connect(server.database_url, autocommit=True) as opened:
        ours = opened.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()").fetchone()
    assert ours is not None
    assert 1 < ours[0] <= CONNECTIONS + 2, "the pooler's sessions, the harness's reader, and this one"


def test_a_start_without_limits_says_how_to_set_them(place: Pooled, tmp_path: Path) -> None:
    refused = _command(place.through, "serve", "--port", "0")
    assert refused.returncode == 1
    orders = [line.strip() for line in refused.stderr.splitlines() if "ALTER ROLE" in line]
    assert len(orders) == len(engines.session_settings())
    with psycopg.connect(place.url, autocommit=True) as opened:
        for order in orders:
            opened.execute(order.encode())
    with psycopg.connect(place.through.replace(_name(place), "/pgbouncer"), autocommit=True) as console:
        console.execute("RECONNECT")
    with running(place.through, tmp_path, PREPARED_STATEMENTS="off") as server:
        assert server.health("ready") == 200


def _name(place: Pooled) -> str:
    return "/" + place.url.partition("?")[0].rpartition("/")[2]


def test_the_paper_names_the_limits_that_are_asked_for() -> None:
    paper = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    missing = [
        f"{name} = '{value}'" for name, value in engines.session_settings() if f"SET {name} = '{value}';" not in paper
    ]
    assert not missing


def test_who_forgets_the_setting_is_told_of_it(place: Pooled) -> None:
    refused = _command(place.through, "serve", "--port", "0", prepare="on")
    assert refused.returncode == 1
    assert "set MUSIC_STUDIO_PREPARED_STATEMENTS=off" in refused.stderr


def test_a_migration_leaves_nothing_in_the_sessions(tmp_path: Path) -> None:
    with databases.postgres_database() as url, pooled(url, tmp_path) as through:
        limit_role(url)
        for _ in range(3):
            moved = _command(through, "migrate")
            assert moved.returncode == 0, moved.stderr
        with psycopg.connect(url, autocommit=True) as opened:
            assert opened.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
        assert _timeouts(through) == {("1200ms", "2s")}


def _timeouts(through: str) -> set[tuple[str, ...]]:
    """The limits of all the sessions, each kept busy until all have been seen."""
    ask = "SELECT pg_sleep(0.3)::text, current_setting('lock_timeout'), current_setting('statement_timeout')"

    def found(_number: int) -> tuple[str, ...]:
        with psycopg.connect(through, autocommit=True, prepare_threshold=None) as opened:
            row = opened.execute(ask).fetchone()
        assert row is not None
        return tuple(row[1:])

    return set(at_once(CONNECTIONS, found))


def test_keys_are_made_through_the_pooler(place: Pooled) -> None:
    limit_role(place.url)
    made = _command(place.through, "keys", "create", "--organization", "org_home1", "--user", "alice")
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip().startswith("msk_")
