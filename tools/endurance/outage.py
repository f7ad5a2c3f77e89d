"""Responses during a database outage: status, response time and recovery."""

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
# Tolerance for a busy machine.
SLACK_SECONDS = 0.5


class TimedResponse(NamedTuple):
    """One response, with the seconds since its request."""

    status: int
    seconds: float
    retry_after: str | None


class Probe:
    """Concurrent reads and writes of one collection by one user."""

    def __init__(self, server: Running, secret: str) -> None:
        self._server, self._secret = server, secret
        with server.client(secret) as client:
            response = client.post("collections", json={"name": "Probe"})
            assert response.status_code == 201, response.text
        self._path = f"collections/{response.json()['id']}"

    def writes(self, count: int = CLIENTS) -> list[TimedResponse]:
        """Sends concurrent writes."""
        return self._at_once("PATCH", count)

    def reads(self, count: int = CLIENTS) -> list[TimedResponse]:
        """Sends concurrent reads."""
        return self._at_once("GET", count)

    def health(self, name: str) -> TimedResponse:
        return _timed(lambda: httpx.get(f"{self._server.url}/v1/health/{name}", timeout=10, trust_env=False))

    def seconds_until_recovery(self, timeout: float = 10) -> float:
        """Seconds until a read and a write succeed."""
        started = time.monotonic()
        while time.monotonic() - started < timeout:
            if {one.status for one in self.reads(1) + self.writes(1)} == {200}:
                return time.monotonic() - started
            time.sleep(0.05)
        raise AssertionError(f"no recovery within {timeout:g} s")

    def _at_once(self, method: str, count: int) -> list[TimedResponse]:
        with self._server.client(self._secret, 30) as client, ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda number: self._ask(client, method, number), range(count)))

    def _ask(self, client: httpx.Client, method: str, number: int) -> TimedResponse:
        body = {"description": f"{time.monotonic()} {number}"} if method == "PATCH" else None
        return _timed(lambda: client.request(method, self._path, json=body))


def require_refused(responses: list[TimedResponse]) -> float:
    """Every response must be a 503 with Retry-After within the time limit; returns the seconds of the slowest."""
    assert {one.status for one in responses} == {503}, sorted({one.status for one in responses})
    assert all(one.retry_after and one.retry_after.isdigit() for one in responses), "503 without Retry-After"
    slowest = max(one.seconds for one in responses)
    assert slowest <= MAX_SECONDS + SLACK_SECONDS, f"the slowest 503 took {slowest:.2f} s"
    return slowest


def require_success(responses: list[TimedResponse]) -> None:
    assert {one.status for one in responses} == {200}, sorted({one.status for one in responses})


def require_only_live(probe: Probe) -> float:
    """Liveness is 200, and readiness 503 within a second; returns the seconds of readiness."""
    assert probe.health("live").status == 200
    ready = probe.health("ready")
    assert ready.status == 503
    assert ready.seconds <= 1.0 + SLACK_SECONDS, f"readiness took {ready.seconds:.2f} s"
    return ready.seconds


def _timed(ask: Callable[[], httpx.Response]) -> TimedResponse:
    started = time.monotonic()
    response = ask()
    return TimedResponse(response.status_code, time.monotonic() - started, response.headers.get("Retry-After"))
