"""Graceful shutdown: readiness turns 503, running requests are answered, then the server exits."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.db import migrate
from tools.endurance.crash import require_nothing_lost, terminated
from tools.endurance.load import Load
from tools.testing import databases
from tools.testing.cases import JSON, LIST, head
from tools.testing.raw_client import RawClient, response_errors
from tools.testing.server_process import Running, fresh, running

pytestmark = pytest.mark.slow
GRACE_SECONDS = 20


@pytest.mark.parametrize(("kind", "workers"), [("sqlite", 1), ("postgresql", 2)])
def test_sigterm_under_load_fails_no_request(kind: str, tmp_path: Path, workers: int) -> None:
    with fresh(kind, tmp_path, workers) as server:
        result = terminated(server, server.key())
    require_nothing_lost(result)
    assert not result.broken
    assert result.stop_seconds <= GRACE_SECONDS


def test_readiness_turns_503_before_the_server_exits(tmp_path: Path) -> None:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    with running(url, tmp_path) as server, Load(server, server.key(), writers=2, keys=False) as load:
        load.await_acknowledged(10)
        readiness, stopper = _watch(server), threading.Thread(target=server.terminate)
        stopper.start()
        statuses = list(readiness)
        stopper.join()
        assert statuses[-1] is None, "the server must have exited"
        assert 503 in statuses
        assert statuses.index(503) > 0 or statuses[0] == 503
        assert 200 not in statuses[statuses.index(503) :], "ready again after 503"
        assert not load.broken


def test_slow_request_is_answered_during_shutdown(tmp_path: Path) -> None:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    with running(url, tmp_path) as server, server.client(server.key()) as client:
        stopper = threading.Timer(0.3, server.terminate)
        stopper.start()
        response = client.post("collections", content=_slow_body(), headers={"Content-Type": "application/json"})
        assert response.status_code == 201, response.text
        assert response.headers["Connection"] == "close"
        stopper.join()


def test_request_whose_body_has_not_arrived_gets_503_at_the_end(tmp_path: Path) -> None:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    with running(url, tmp_path, SHUTDOWN_TIMEOUT_SECONDS="2") as server:
        key = b"X-API-Key: " + server.key().encode()
        with RawClient(("127.0.0.1", server.port)) as client:
            client.send(head(b"POST", LIST, key, JSON, b"Content-Length: 9") + b"{")
            time.sleep(0.3)
            server.terminate()
            response = client.response()
        assert response.status == 503
        assert not list(response_errors(response))
        assert "Exception in ASGI application" not in server.log_text()


def test_idle_server_exits_immediately(tmp_path: Path) -> None:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    with running(url, tmp_path, SHUTDOWN_TIMEOUT_SECONDS="3600") as server:
        server.terminate()


def _watch(server: Running) -> Iterator[int | None]:
    """Statuses of readiness until the server does not respond; then None."""
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
