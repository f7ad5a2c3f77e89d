"""Asked to stop, the service says that it is not ready, answers what it has been asked, and goes."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.db import migrate
from tools.endurance.crash import require_nothing_lost, terminated
from tools.endurance.load import Load
from tools.testing import databases
from tools.testing.server_process import Running, fresh, running

pytestmark = pytest.mark.slow
GRACE_SECONDS = 20


@pytest.mark.parametrize(("kind", "workers"), [("sqlite", 1), ("postgresql", 2)])
def test_a_stop_under_load_cuts_nobody(kind: str, tmp_path: Path, workers: int) -> None:
    with fresh(kind, tmp_path, workers) as server:
        toll = terminated(server, server.key())
    require_nothing_lost(toll)
    assert not toll.cuts
    assert toll.stopped <= GRACE_SECONDS


def test_readiness_goes_first(tmp_path: Path) -> None:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    with running(url, tmp_path) as server, Load(server, server.key(), writers=2, keys=False) as load:
        load.await_told(10)
        asked, stopper = _watch(server), threading.Thread(target=server.terminate)
        stopper.start()
        told = list(asked)
        stopper.join()
        assert told[-1] is None, "it must have gone"
        assert 503 in told
        assert told.index(503) > 0 or told[0] == 503
        assert 200 not in told[told.index(503) :], "it was ready again"
        assert not load.cut


def test_a_request_that_takes_long_is_answered(tmp_path: Path) -> None:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    with running(url, tmp_path) as server, server.client(server.key()) as client:
        stopper = threading.Timer(0.3, server.terminate)
        stopper.start()
        answer = client.post("collections", content=_slow_body(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 201, answer.text
        assert answer.headers["Connection"] == "close"
        stopper.join()


def test_an_idle_server_goes_at_once(tmp_path: Path) -> None:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    with running(url, tmp_path, SHUTDOWN_TIMEOUT_SECONDS="3600") as server:
        server.terminate()


def _watch(server: Running) -> Iterator[int | None]:
    """What readiness says, again and again until nobody answers."""
    while True:
        status = server.health("ready")
        yield status
        if status is None:
            return
        time.sleep(0.02)


def _slow_body() -> Iterator[bytes]:
    yield b'{"name": '
    time.sleep(2)
    yield b'"Slow"}'
