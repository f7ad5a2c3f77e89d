"""Kills and stops a server under load; counts lost and duplicated acknowledged writes."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

import psutil

from ops.backup import integrity_errors
from tools.endurance.load import Load, names
from tools.testing.server_process import Running

WARM_UP = 40
REPLACED_SECONDS = 15


class StopResult(NamedTuple):
    """Writes and connections around one stop of the server."""

    acknowledged: int
    lost: int
    duplicated: int
    broken: list[str]
    unexpected: list[str]
    stop_seconds: float
    restart_seconds: float


def killed(server: Running, secret: str) -> StopResult:
    """SIGKILL for all processes; clients retry requests without a response."""

    def stop(load: Load) -> tuple[float, float]:
        server.kill()
        restart_seconds = server.start()
        load.await_acknowledged(WARM_UP)
        return 0.0, restart_seconds

    return _stop_under_load(server, secret, stop, keys=True)


def terminated(server: Running, secret: str) -> StopResult:
    """SIGTERM; clients do not retry, so that a cut request shows as lost or duplicated."""

    def stop(_load: Load) -> tuple[float, float]:
        return server.terminate(), 0.0

    return _stop_under_load(server, secret, stop, keys=False)


def worker_killed(server: Running, secret: str) -> StopResult:
    """One worker is suspended and killed during a liveness check of the supervisor; it must be replaced."""

    def stop(load: Load) -> tuple[float, float]:
        before = workers(server)
        os.kill(before[0].pid, signal.SIGSTOP)
        time.sleep(1)  # the supervisor checks twice a second, and waits for the suspended worker now
        os.kill(before[0].pid, signal.SIGKILL)
        started = time.monotonic()
        while len(alive := workers(server)) < len(before) or before[0] in alive:
            assert time.monotonic() - started < REPLACED_SECONDS, "the worker was not replaced"
            time.sleep(0.05)
        load.await_acknowledged(WARM_UP)
        return 0.0, time.monotonic() - started

    return _stop_under_load(server, secret, stop, keys=True)


def workers(server: Running) -> list[psutil.Process]:
    """The worker processes of a server."""
    children = psutil.Process(server.process.pid).children()
    return [child for child in children if _is_worker(child)]


def _is_worker(child: psutil.Process) -> bool:
    try:
        return child.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(child.cmdline())
    except psutil.Error:
        return False


def require_nothing_lost(result: StopResult) -> None:
    assert result.acknowledged >= WARM_UP
    assert (result.lost, result.duplicated) == (0, 0), result
    assert not result.unexpected, result.unexpected


def require_integrity(server: Running) -> None:
    """A SQLite file passes its integrity check."""
    kind, _, file = server.database_url.partition(":///")
    if kind == "sqlite":
        with closing(sqlite3.connect(file)) as opened:
            assert integrity_errors(opened) == []


def _stop_under_load(
    server: Running,
    secret: str,
    stop: Callable[[Load], tuple[float, float]],
    *,
    keys: bool,
) -> StopResult:
    with Load(server, secret, keys=keys) as load:
        load.await_acknowledged(WARM_UP)
        stop_seconds, restart_seconds = stop(load)
    found = names(server.database_url)
    require_integrity(server)
    duplicated = sum(count > 1 for count in found.values())
    lost = len(set(load.acknowledged) - set(found))
    return StopResult(
        len(load.acknowledged), lost, duplicated, load.broken, load.unexpected, stop_seconds, restart_seconds
    )
