"""Maintenance: stored idempotency responses are deleted after a day, tokens of expired links after thirty."""

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import structlog
from sqlalchemy import insert, select, text

from models import idempotency, organizations
from models.base import now
from models.db import connection as database
from models.db import migrate
from models.focus_tables import focus_sessions
from models.generation_tables import generations
from models.retention import BATCH_ROWS
from models.schema import idempotency_keys
from models.share_tables import share_links, share_tokens
from ops import demo, jobs, maintenance
from settings import Settings
from tools.testing import databases
from tools.testing.server_process import connected, running
from tools.testing.service import ALICE, HOME, PEPPER
from web.periodic_thread import PeriodicThread

HOURS = (23, 25)


@pytest.mark.parametrize("kind", databases.KINDS)
def test_idempotency_keys_older_than_a_day_are_deleted(kind: str, tmp_path: Path) -> None:
    with databases.fresh(kind, tmp_path) as url:
        _prepare(url, BATCH_ROWS * 2 + 7)
        audio = maintenance.AudioOptions((tmp_path / "audio").as_uri(), 24, 900)
        with connected(url), PeriodicThread("maintenance", partial(maintenance.maintain, url, audio), 0.05):
            assert _remaining_keys() == ["young"]
            _store(["another"])
            assert _remaining_keys() == ["young"]


def test_idempotency_keys_with_equal_timestamps_are_all_deleted(tmp_path: Path) -> None:
    with databases.fresh("sqlite", tmp_path) as url:
        _prepare(url, BATCH_ROWS + 1)
        with connected(url):
            assert idempotency.delete_expired() == BATCH_ROWS + 1
            assert idempotency.delete_expired() == 0


@pytest.mark.parametrize("kind", databases.KINDS)
def test_tokens_of_expired_links_are_deleted_after_thirty_days(kind: str, tmp_path: Path) -> None:
    ages = {31: BATCH_ROWS + 3, 29: 1, -1: 1}
    ends = [now() - timedelta(days=days) for days, count in ages.items() for _ in range(count)]
    rows = [
        {"digest": number.to_bytes(32), "organization_id": HOME, "link_id": f"link {number}", "ends_at": end}
        for number, end in enumerate(ends)
    ]
    with databases.migrated(kind, tmp_path) as url, connected(url):
        database.transaction(database.execute_many)(insert(share_tokens), rows)
        maintenance.maintain(url, maintenance.AudioOptions((tmp_path / "audio").as_uri(), 24, 900))
        left = [row.ends_at for row in database.fetch_all(select(share_tokens.c.ends_at))]
    assert sorted(left) == sorted(ends[-2:])


def test_demo_outlives_the_maintenance(tmp_path: Path) -> None:
    """Its rows are as old as the reference pages say, and still there when their samples are run."""
    with databases.migrated("sqlite", tmp_path) as url, connected(url):
        demo.load(PEPPER.encode())
        maintenance.maintain(url, maintenance.AudioOptions((tmp_path / "audio").as_uri(), 24, 900))
        jobs.delete_old(url, Settings().generation_days)
        for table, count in ((generations, 2), (focus_sessions, 1), (share_links, 2)):
            assert len(database.fetch_all(select(table))) == count, table.name


@pytest.mark.slow
def test_server_deletes_expired_keys_at_start(tmp_path: Path) -> None:
    url = databases.sqlite_url(tmp_path)
    _prepare(url, 3)
    with running(url, tmp_path), connected(url):
        assert _remaining_keys(timeout=60) == ["young"]  # the maintenance begins some seconds after the start


def test_nothing_is_deleted_in_the_schema_of_another_version(tmp_path: Path) -> None:
    url = databases.sqlite_url(tmp_path)
    _prepare(url, 3)
    with connected(url):
        database.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with structlog.testing.capture_logs() as lines:
        maintenance.maintain(url, maintenance.AudioOptions((tmp_path / "audio").as_uri(), 24, 900))
        jobs.delete_old(url, 1)
    events = ["maintenance failed, next try in an hour", "old jobs not deleted, next try in an hour"]
    assert [line["event"] for line in lines] == events
    with connected(url):
        assert len(_remaining_keys(timeout=0)) == 4


def _prepare(url: str, old: int) -> None:
    migrate.upgrade(url)
    with connected(url):
        organizations.join(HOME, ALICE)
        _store([f"old {number}" for number in range(old)])
        _store(["young"], hours=HOURS[0])


def _store(names: Sequence[str], hours: int = HOURS[1]) -> None:
    row = {
        "organization_id": HOME,
        "user_id": ALICE,
        "fingerprint": b"1" * 32,
        "status": 201,
        "headers": "{}",
        "body": b"{}",
        "created_at": now() - timedelta(hours=hours),
    }
    rows = [row | {"key": name} for name in names]
    database.transaction(lambda: database.execute_many(insert(idempotency_keys), rows))()


def _remaining_keys(timeout: float = 5) -> list[str]:
    """Waits until one key remains or the timeout; returns the remaining keys."""
    deadline = time.monotonic() + timeout
    while len(remaining := [row.key for row in database.fetch_all(select(idempotency_keys.c.key))]) > 1:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return remaining
