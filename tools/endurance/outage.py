"""What clients are told while the database is away: how soon, with which status, and when all is good again."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import httpx

from tools.testing.server_process import Running

CLIENTS = 24
MAX_SECONDS = 2.5
BACK_SECONDS = 2.0
# A machine that does other work too takes longer to notice than the service does.
SLACK_SECONDS = 0.5


class Told(NamedTuple):
    """One answer; `seconds` count from the moment it was asked for."""

    status: int
    seconds: float
    retry_after: str | None


class Probe:
    """Many clients of one user who read and write a collection at once."""

    def __init__(self, server: Running, secret: str) -> None:
        self._server, self._secret = server, secret
        with server.client(secret) as client:
            response = client.post("collections", json={"name": "Probe"})
            assert response.status_code == 201, response.text
        self._path = f"collections/{response.json()['id']}"

    def writes(self, count: int = CLIENTS) -> list[Told]:
        """So many writes at once."""
        return self._at_once("PATCH", count)

    def reads(self, count: int = CLIENTS) -> list[Told]:
        """So many reads at once."""
        return self._at_once("GET", count)

    def health(self, name: str) -> Told:
        return _timed(lambda: httpx.get(f"{self._server.url}/v1/health/{name}", timeout=10, trust_env=False))

    def seconds_until_good(self, patience: float = 10) -> float:
        """How long it takes until a read and a write succeed."""
        started = time.monotonic()
        while time.monotonic() - started < patience:
            if {told.status for told in self.reads(1) + self.writes(1)} == {200}:
                return time.monotonic() - started
            time.sleep(0.05)
        raise AssertionError(f"not good again within {patience:g} s")

    def _at_once(self, method: str, count: int) -> list[Told]:
        with self._server.client(self._secret, 30) as client, ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda number: self._ask(client, method, number), range(count)))

    def _ask(self, client: httpx.Client, method: str, number: int) -> Told:
        body = {"description": f"{time.monotonic()} {number}"} if method == "PATCH" else None
        return _timed(lambda: client.request(method, self._path, json=body))


def require_refused(told: list[Told]) -> float:
    """Every answer must be a 503 that names a time, and come in time; the seconds of the slowest."""
    assert {one.status for one in told} == {503}, sorted({one.status for one in told})
    assert all(one.retry_after and one.retry_after.isdigit() for one in told), "503 without Retry-After"
    slowest = max(one.seconds for one in told)
    assert slowest <= MAX_SECONDS + SLACK_SECONDS, f"the slowest 503 took {slowest:.2f} s"
    return slowest


def require_good(told: list[Told]) -> None:
    assert {one.status for one in told} == {200}, sorted({one.status for one in told})


def require_only_live(probe: Probe) -> float:
    """The process is alive, and says within a second that it is not ready; the seconds that it took."""
    assert probe.health("live").status == 200
    ready = probe.health("ready")
    assert ready.status == 503
    assert ready.seconds <= 1.0 + SLACK_SECONDS, f"readiness took {ready.seconds:.2f} s"
    return ready.seconds


def _timed(ask: Callable[[], httpx.Response]) -> Told:
    started = time.monotonic()
    response = ask()
    return Told(response.status_code, time.monotonic() - started, response.headers.get("Retry-After"))
