"""Stops a server in every way that there is, under load, and counts what became of what clients were told."""

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
    """What one stop cost; times are in seconds."""

    told: int
    lost: int
    doubled: int
    cuts: list[str]
    unexpected: list[str]
    stopped: float
    back: float


def killed(server: Running, secret: str) -> StopResult:
    """The power fails: all processes end at once, and clients repeat what they had no answer to."""

    def stop(load: Load) -> tuple[float, float]:
        server.kill()
        back = server.start()
        load.await_told(WARM_UP)
        return 0.0, back

    return _toll(server, secret, stop, keys=True)


def terminated(server: Running, secret: str) -> StopResult:
    """An operator stops it; no client repeats anything, so that whatever was cut shows as lost or doubled."""

    def stop(_load: Load) -> tuple[float, float]:
        return server.terminate(), 0.0

    return _toll(server, secret, stop, keys=False)


def worker_killed(server: Running, secret: str) -> StopResult:
    """One of several workers falls silent and is killed while its supervisor asks for it; it must be replaced."""

    def stop(load: Load) -> tuple[float, float]:
        before = workers(server)
        os.kill(before[0].pid, signal.SIGSTOP)
        time.sleep(1)  # the supervisor asks twice a second, and waits for the answer now
        os.kill(before[0].pid, signal.SIGKILL)
        started = time.monotonic()
        while len(alive := workers(server)) < len(before) or before[0] in alive:
            assert time.monotonic() - started < REPLACED_SECONDS, "the worker was not replaced"
            time.sleep(0.05)
        load.await_told(WARM_UP)
        return 0.0, time.monotonic() - started

    return _toll(server, secret, stop, keys=True)


def workers(server: Running) -> list[psutil.Process]:
    """The processes that serve, in a server of several."""
    children = psutil.Process(server.process.pid).children()
    return [child for child in children if _serves(child)]


def _serves(child: psutil.Process) -> bool:
    try:
        return child.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(child.cmdline())
    except psutil.Error:
        return False


def require_nothing_lost(toll: StopResult) -> None:
    assert toll.told >= WARM_UP
    assert (toll.lost, toll.doubled) == (0, 0), toll
    assert not toll.unexpected, toll.unexpected


def require_whole(server: Running) -> None:
    """The file of a SQLite database is whole."""
    kind, _, file = server.database_url.partition(":///")
    if kind == "sqlite":
        with closing(sqlite3.connect(file)) as opened:
            assert integrity_errors(opened) == []


def _toll(
    server: Running,
    secret: str,
    stop: Callable[[Load], tuple[float, float]],
    *,
    keys: bool,
) -> StopResult:
    with Load(server, secret, keys=keys) as load:
        load.await_told(WARM_UP)
        stopped, back = stop(load)
    found = names(server.database_url)
    require_whole(server)
    doubled = sum(count > 1 for count in found.values())
    lost = len(set(load.told) - set(found))
    return StopResult(len(load.told), lost, doubled, load.cut, load.unexpected, stopped, back)
