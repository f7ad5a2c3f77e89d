"""Kills one of several workers under load; reports which requests failed."""

from __future__ import annotations

import os
import signal
import time
from typing import NamedTuple

import psutil

from tools.endurance.crash import REPLACED_SECONDS, WARM_UP, workers
from tools.endurance.load import Load
from tools.testing.server_process import Running


class KillResult(NamedTuple):
    """Effect of a killed worker on clients that do not retry.

    `connections` are those of the worker, as client ports, with one request each at most. `failed` are the connections
    that broke during a request, and `unexpected` are all responses other than 201.
    """

    connections: frozenset[int]
    failed: list[int]
    unexpected: list[str]
    replaced_seconds: float


def kill_one(server: Running, secret: str) -> KillResult:
    """SIGKILL for one worker: the others go on, and its replacement serves."""
    with Load(server, secret, keys=False) as load:
        load.await_acknowledged(WARM_UP)
        before = workers(server)
        # Suspends the supervisor, so that the other workers serve alone for a while.
        server.process.send_signal(signal.SIGSTOP)
        victim = max(before, key=lambda worker: len(_connections(worker)))  # one worker may have no connection
        victim.suspend()  # so that it accepts no more connections
        connections = _connections(victim)
        os.kill(victim.pid, signal.SIGKILL)
        load.await_acknowledged(WARM_UP)
        server.process.send_signal(signal.SIGCONT)
        started = time.monotonic()
        replacement = _replacement(server, before)
        replaced = time.monotonic() - started
        load.await_acknowledged(WARM_UP)
    # Only now, because a suspended worker may hold a lock.
    _require_service(server, replacement)
    unexpected = [f"{count} x {status}" for status, count in load.statuses.items() if status != 201]
    return KillResult(connections, load.broken_ports, unexpected, replaced)


def require_only_its_own(result: KillResult) -> None:
    """Only requests on connections of the killed worker may have failed, each once."""
    assert result.connections, "the worker had no connection, so the kill proves nothing"
    assert len(result.failed) == len(set(result.failed)), f"a connection broke twice: {result}"
    assert set(result.failed) <= result.connections, f"a request of another worker failed: {result}"
    assert not result.unexpected, result


def _connections(worker: psutil.Process) -> frozenset[int]:
    found = worker.net_connections("tcp")
    return frozenset(one.raddr.port for one in found if one.status == psutil.CONN_ESTABLISHED and one.raddr)


def _replacement(server: Running, before: list[psutil.Process]) -> psutil.Process:
    deadline = time.monotonic() + REPLACED_SECONDS
    while time.monotonic() < deadline:
        if found := [worker for worker in workers(server) if worker not in before]:
            return found[0]
        time.sleep(0.01)
    raise AssertionError("the worker was not replaced")


def _require_service(server: Running, replacement: psutil.Process) -> None:
    """Suspends every other worker, so that the new one must respond."""
    others = [worker for worker in workers(server) if worker != replacement]
    for worker in others:
        worker.suspend()
    try:
        server.await_ready()
    finally:
        for worker in others:
            worker.resume()
