"""Crashes under load: no acknowledged write is lost or duplicated."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.endurance.consistency import Chaos, record, require_consistent
from tools.endurance.crash import killed, require_nothing_lost, worker_killed
from tools.endurance.worker_kill import kill_one, require_only_its_own
from tools.testing import databases
from tools.testing.server_process import Running, fresh

pytestmark = pytest.mark.slow


@pytest.fixture(params=databases.KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    with fresh(request.param, tmp_path) as started:
        yield started


def test_sigkill_loses_and_duplicates_no_acknowledged_write(server: Running) -> None:
    secret = server.key()
    for _ in range(2):
        require_nothing_lost(killed(server, secret))


def test_killed_worker_is_replaced_without_lost_writes(tmp_path: Path) -> None:
    with fresh("sqlite", tmp_path, workers=2) as server:
        require_nothing_lost(worker_killed(server, server.key()))


@pytest.mark.parametrize("kind", databases.KINDS)
def test_killed_worker_fails_only_its_own_requests(kind: str, tmp_path: Path) -> None:
    with fresh(kind, tmp_path, workers=2) as server:
        require_only_its_own(kill_one(server, server.key()))


def test_history_is_consistent_across_crashes_and_pauses(server: Running) -> None:
    history = record(server, server.key(), Chaos(server, kills=1, pauses=1), seconds=4)
    require_consistent(history)
