"""Kills one of several workers under load, and says which requests failed with it."""

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
    """What the end of one worker cost clients that repeat nothing.

    `held` are the connections that it had, as ports of the clients; each carried one request at most. `failed` are the
    connections that broke under a request, and `strange` is whatever was neither a success nor such a failure.
    """

    held: frozenset[int]
    failed: list[int]
    strange: list[str]
    replaced_seconds: float


def kill_one(server: Running, secret: str) -> KillResult:
    """`kill -9` for one worker: the others go on, it is replaced, and its successor serves."""
    with Load(server, secret, keys=False) as load:
        load.await_told(WARM_UP)
        before = workers(server)
        # Nobody replaces it before the others are seen to go on alone.
        server.process.send_signal(signal.SIGSTOP)
        victim = max(before, key=lambda worker: len(_connections(worker)))  # the kernel may have given one nothing
        victim.suspend()  # so that it takes no more of them before it dies
        held = _connections(victim)
        os.kill(victim.pid, signal.SIGKILL)
        load.await_told(WARM_UP)
        server.process.send_signal(signal.SIGCONT)
        started = time.monotonic()
        successor = _successor(server, before)
        replaced = time.monotonic() - started
        load.await_told(WARM_UP)
    # A halted worker may hold a lock: not while others write.
    _require_service(server, successor)
    strange = [f"{count} x {status}" for status, count in load.statuses.items() if status != 201]
    return KillResult(held, load.cut_ports, strange, replaced)


def require_only_its_own(loss: KillResult) -> None:
    """Only requests on the connections of the dead worker may have failed, each once."""
    assert loss.held, "the worker had no connection, so its end proves nothing"
    assert len(loss.failed) == len(set(loss.failed)), f"a connection broke twice: {loss}"
    assert set(loss.failed) <= loss.held, f"a request failed that was another worker's: {loss}"
    assert not loss.strange, loss


def _connections(worker: psutil.Process) -> frozenset[int]:
    found = worker.net_connections("tcp")
    return frozenset(one.raddr.port for one in found if one.status == psutil.CONN_ESTABLISHED and one.raddr)


def _successor(server: Running, before: list[psutil.Process]) -> psutil.Process:
    deadline = time.monotonic() + REPLACED_SECONDS
    while time.monotonic() < deadline:
        if found := [worker for worker in workers(server) if worker not in before]:
            return found[0]
        time.sleep(0.01)
    raise AssertionError("the worker was not replaced")


def _require_service(server: Running, successor: psutil.Process) -> None:
    """With every other worker halted, whoever answers is the new one."""
    others = [worker for worker in workers(server) if worker != successor]
    for worker in others:
        worker.suspend()
    try:
        server.await_ready()
    finally:
        for worker in others:
            worker.resume()
