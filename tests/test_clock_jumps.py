"""A clock that is set a day ahead or back: nobody is locked out, no wait gets longer, dates are judged by the clock."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import literal, select
from sqlalchemy.exc import DBAPIError

import app
from docsite import assets
from models import base, keys
from models.db import driver_errors, migrate, retry
from models.db.circuit_breaker import PROBE_SECONDS, CircuitBreaker
from models.db.replica import Replica
from models.exceptions import Unavailable
from settings import Settings
from tools.testing import databases
from tools.testing.server_process import connected, new_key
from tools.testing.service import ALICE, HOME, PEPPER, READ
from tools.testing.thread_server import serving
from web.periodic_thread import PeriodicThread
from web.ratelimit.counters import FixedWindowCounter
from web.security.key_cache import TTLCache
from web.security.key_usage import KeyUsageRecorder

# The script is larger than what the buffers of a connection hold.
SCRIPT = f"/docs/{assets.served_name('scalar.js')}".encode()
DAY = 86_400.0
MINUTE = 60
QUOTA = 20
SECRET = OctKey.import_key("a shared secret of the tests, long enough")
JSON = {"Content-Type": "application/json"}


class WallClock:
    """The wall clock of this process, which a test can set; time.monotonic and the event loop's clock go on."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._time = time.time

    def time(self) -> float:
        return self._time() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    wall = WallClock()

    class Datetime(datetime):
        def __new__(cls, *args: Any, **options: Any) -> Any:
            return datetime(*args, **options)  # noqa: DTZ001 - the caller decides

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.fromtimestamp(wall.time(), tz)

    monkeypatch.setattr(time, "time", wall.time)
    monkeypatch.setattr(base, "datetime", Datetime)
    return wall


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_jump_locks_nobody_out_of_a_quota(clock: WallClock, jump: float) -> None:
    counter = FixedWindowCounter(MINUTE, max_clients=1000)
    for _ in range(100):
        counter.count("client", time.time())
    clock.ahead = jump
    window = counter.count("client", time.time())
    assert window.count == 1
    assert time.time() < window.ends <= time.time() + MINUTE
    assert [counter.count("client", time.time()).count for _ in range(3)] == [2, 3, 4]


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_memory_of_quotas_does_not_depend_on_the_wall_clock(
    clock: WallClock, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    elapsed = [1000.0]
    monkeypatch.setattr("web.ratelimit.counters.monotonic", lambda: elapsed[0])
    counter = FixedWindowCounter(MINUTE, max_clients=1000)
    counter.count("old", time.time())
    clock.ahead = jump
    for number in range(3):
        elapsed[0] += MINUTE + 1
        counter.count(f"new {number}", time.time() + number * (MINUTE + 1))
    assert "old" not in counter._current | counter._previous


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_cached_key_expires_after_its_seconds(clock: WallClock, jump: float) -> None:
    cache: TTLCache[str] = TTLCache(0.2)
    cache.put("key", "value", time.monotonic())
    clock.ahead = jump
    assert cache.get("key") == "value"
    time.sleep(0.25)
    assert cache.get("key") is None


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_open_circuit_lets_a_probe_through_after_its_seconds(clock: WallClock, jump: float) -> None:
    breaker = CircuitBreaker()
    breaker._probe_at = time.monotonic() + PROBE_SECONDS
    clock.ahead = jump
    with pytest.raises(Unavailable), breaker.guard():
        pass
    time.sleep(PROBE_SECONDS + 0.05)
    with breaker.guard():
        pass
    assert breaker._probe_at is None


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_last_uses_are_written_once_per_interval(clock: WallClock, jump: float) -> None:
    written: list[frozenset[str]] = []

    class Recorded:
        async def call(self, _function: object, key_ids: frozenset[str], **_options: object) -> None:
            written.append(key_ids)

    async def use() -> None:
        recorder = KeyUsageRecorder(Recorded(), interval_seconds=0.5)  # type: ignore[arg-type]
        recorder.record("key")
        clock.ahead = jump
        recorder.record("key")
        await asyncio.sleep(1.2)

    asyncio.run(use())
    assert written == [frozenset({"key"})]


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_dates_follow_the_wall_clock(clock: WallClock, jump: float) -> None:
    before = datetime.now(UTC)
    clock.ahead = jump
    assert abs(base.now() - before - timedelta(seconds=jump)) < timedelta(seconds=5)


class Named:
    """An executor that answers reads with its name."""

    in_use = 0

    def __init__(self, name: str) -> None:
        self._name = name
        self.execute = self.transaction = None

    def rows(self, _statement: object, _binds: object) -> list[str]:
        return [self._name]


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_user_reads_from_the_primary_for_the_seconds_after_a_write(clock: WallClock, jump: float) -> None:
    replica = Replica(Named("primary"), Named("replica"), 0.3)

    def read() -> Any:
        with replica.reading_as("alice"):
            return replica.rows(select(literal(1)), {})

    with replica.writing_as("alice"):
        pass
    clock.ahead = jump
    assert read() == ["primary"]
    time.sleep(0.35)
    assert read() == ["replica"]


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_conflicts_are_retried_for_their_seconds(
    clock: WallClock, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    monkeypatch.setattr(driver_errors, "is_conflict", lambda _error: True)
    attempts = iter([True, True, False])

    def work() -> str:
        clock.ahead = jump
        if next(attempts):
            raise DBAPIError("UPDATE", None, Exception("conflict"))
        return "done"

    assert retry.with_conflict_retry(work, lambda _seconds: None) == "done"


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_periodic_work_keeps_its_interval(clock: WallClock, jump: float) -> None:
    rounds: list[float] = []
    with PeriodicThread("metrics or maintenance", lambda: rounds.append(time.monotonic()), 0.2):
        time.sleep(0.1)
        clock.ahead = jump
        time.sleep(0.75)
    assert 3 <= len(rounds) <= 5, rounds


@pytest.mark.slow
@pytest.mark.parametrize("jump", [DAY, -DAY])
@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (b"GET /v1/health/live HTTP/1.1\r\nHost:", b"HTTP/1.1 408 "),
        (b"GET %b HTTP/1.1\r\nHost: studio\r\n\r\n" % SCRIPT, b"HTTP/1.1 200 "),
    ],
    ids=["header", "response that is not read"],
)
def test_connection_ends_after_its_timeout(
    clock: WallClock, tmp_path: Path, jump: float, sent: bytes, received: bytes
) -> None:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    settings = Settings(database_url=url, key_pepper=PEPPER, rate_limit="off")
    with serving(app.create_app(settings), header_timeout=1, write_timeout=1) as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", int(server.rpartition(":")[2])))
        client.settimeout(10)
        client.sendall(sent)
        clock.ahead = jump
        time.sleep(2)
        content = b""
        with suppress(ConnectionResetError):
            while part := client.recv(65_536):
                content += part
    assert content.startswith(received)
    assert len(content) < 4_000_000, "the whole response was sent to a client that did not read it"


@pytest.mark.slow
@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_service_goes_on_while_its_clock_jumps(clock: WallClock, tmp_path: Path, jump: float) -> None:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    key = new_key(url)
    with connected(url):
        in_an_hour = base.now() + timedelta(hours=1)
        _, expiring = keys.make(HOME, ALICE, (READ,), in_an_hour, pepper=PEPPER.encode())
    token = jwt.encode({"alg": "HS256"}, {"sub": ALICE, "exp": in_an_hour.timestamp(), "scope": READ}, SECRET)
    settings = Settings(
        database_url=url, key_pepper=PEPPER, rate_limit=f"{QUOTA}/minute", jwt_secret=SECRET.raw_value.decode(),
        key_cache_seconds=0.0,
    )  # fmt: skip
    with (
        serving(app.create_app(settings), header_timeout=1, write_timeout=1, timeout_keep_alive=2) as server,
        httpx.Client(base_url=f"{server}/v1/music/{HOME}/", trust_env=False) as client,
        _kept_alive(server) as kept,
    ):
        first = client.post("collections", json={"name": "a"}, headers={"X-API-Key": key, "Idempotency-Key": "one"})
        clock.ahead = jump
        assert client.post("collections", content=_slow_body(), headers={"X-API-Key": key, **JSON}).status_code == 201
        again = client.post("collections", json={"name": "a"}, headers={"X-API-Key": key, "Idempotency-Key": "one"})
        assert again.json() == first.json(), "the key of a request that was answered has to replay the answer"
        expected = 401 if jump > 0 else 200  # dates are judged by the clock as it is
        assert client.get("collections", headers={"X-API-Key": expiring}).status_code == expected
        assert client.get("collections", headers={"Authorization": f"Bearer {token}"}).status_code == expected
        statuses = [client.get("collections", headers={"X-API-Key": key}) for _ in range(QUOTA)]
        assert {response.status_code for response in statuses} == {200, 429}
        assert 0 < int(statuses[-1].headers["Retry-After"]) <= MINUTE
        clock.ahead = 0.0
        assert client.get("collections", headers={"X-API-Key": key}).status_code == 200
        # The idle connection is closed by elapsed time: not by the jump, and not a day late.
        kept.settimeout(10)
        assert kept.recv(1) == b""


@contextmanager
def _kept_alive(server: str) -> Iterator[socket.socket]:
    """A connection that is idle after one response."""
    with socket.create_connection(("127.0.0.1", int(server.rpartition(":")[2])), timeout=10) as opened:
        opened.sendall(b"GET /v1/health/live HTTP/1.1\r\nHost: studio\r\n\r\n")
        while b'"}' not in opened.recv(65_536):
            pass
        yield opened


def _slow_body() -> Iterator[bytes]:
    yield b'{"name": '
    time.sleep(0.5)
    yield b'"b"}'
