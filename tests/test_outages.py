"""Database outages: 503 in time while it lasts, and recovery without a restart."""

import itertools
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from sqlalchemy import make_url

from models.db import migrate
from ops.backup import integrity_errors
from tools.endurance.outage import (
    BACK_SECONDS,
    SLACK_SECONDS,
    Probe,
    TimedResponse,
    require_only_live,
    require_refused,
    require_success,
)
from tools.testing import databases
from tools.testing.flaky_proxy import Proxy, proxied
from tools.testing.server_process import Running, new_key, running

pytestmark = pytest.mark.slow


class ProxiedServer(NamedTuple):
    """A server with PostgreSQL behind a flaky proxy."""

    postgres: databases.Breakable
    proxy: Proxy
    server: Running
    probe: Probe


@pytest.fixture(scope="module")
def proxied_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedServer]:
    with databases.breakable_postgres() as postgres:
        migrate.upgrade(postgres.url)
        secret = new_key(postgres.url)
        with proxied(_socket_of(postgres.url)) as proxy:
            url = make_url(postgres.url).set(host="127.0.0.1", port=proxy.port, query={})
            with running(url.render_as_string(False), tmp_path_factory.mktemp("proxied_server")) as server:
                yield ProxiedServer(postgres, proxy, server, Probe(server, secret))


class Outage(NamedTuple):
    begin: Callable[[ProxiedServer], None]
    end: Callable[[ProxiedServer], None]


def _silent(proxied_server: ProxiedServer, silent: bool) -> None:
    proxied_server.proxy.silent = silent


def _cut_after(proxied_server: ProxiedServer, count: int | None) -> None:
    proxied_server.proxy.cut_after = count


def _crash(proxied_server: ProxiedServer) -> None:
    """Stops PostgreSQL like `pg_ctl stop -m immediate`."""
    head = psutil.Process(proxied_server.postgres._server.get_pid())
    head.send_signal(signal.SIGQUIT)
    head.wait(10)


OUTAGES = {
    "stopped": Outage(lambda w: w.postgres.stop(), lambda w: w.postgres.start()),
    "killed": Outage(_crash, lambda w: w.postgres.start()),
    "frozen": Outage(lambda w: w.postgres.freeze(), lambda w: w.postgres.thaw()),
    "silent": Outage(lambda w: _silent(w, True), lambda w: _silent(w, False)),
    "refused": Outage(lambda w: w.proxy.refuse(), lambda w: w.proxy.allow()),
    "cut short": Outage(lambda w: _cut_after(w, 0), lambda w: _cut_after(w, None)),
}


@pytest.mark.parametrize("name", OUTAGES)
def test_postgresql_outage_gives_503_in_time_and_recovers(proxied_server: ProxiedServer, name: str) -> None:
    outage, probe = OUTAGES[name], proxied_server.probe
    require_success(probe.reads() + probe.writes())
    outage.begin(proxied_server)
    try:
        require_refused(probe.writes())
        require_refused(probe.reads())
        require_only_live(probe)
    finally:
        outage.end(proxied_server)
    assert probe.seconds_until_recovery() <= BACK_SECONDS + SLACK_SECONDS
    require_success(probe.reads() + probe.writes())
    assert probe.health("ready").status == 200


def test_connection_cut_within_a_result_gives_200_or_503(proxied_server: ProxiedServer) -> None:
    for count in (100, 1000, 3000):
        proxied_server.proxy.cut_after = count
        responses = proxied_server.probe.writes(8) + proxied_server.probe.reads(8)
        assert {response.status for response in responses} <= {200, 503}
    proxied_server.proxy.cut_after = None
    assert proxied_server.probe.seconds_until_recovery() <= BACK_SECONDS + SLACK_SECONDS


def test_service_recovers_after_a_postgresql_restart(proxied_server: ProxiedServer) -> None:
    _crash(proxied_server)
    proxied_server.postgres.start()
    assert proxied_server.probe.seconds_until_recovery() <= BACK_SECONDS + SLACK_SECONDS
    require_success(proxied_server.probe.reads() + proxied_server.probe.writes())


@pytest.fixture
def sqlite_server(tmp_path: Path) -> Iterator[tuple[Path, Running, Probe]]:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    with running(url, tmp_path, LOG_LEVEL="error") as server:
        yield Path(url.removeprefix("sqlite:///")), server, Probe(server, server.key())


@pytest.mark.parametrize("word", ["IMMEDIATE", "EXCLUSIVE"])
def test_locked_sqlite_file_allows_reads(sqlite_server: tuple[Path, Running, Probe], word: str) -> None:
    file, _, probe = sqlite_server
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute(f"BEGIN {word}")
        require_refused(probe.writes())
        require_success(probe.reads())
        assert probe.health("ready").status == 200
        other.execute("ROLLBACK")
    assert probe.seconds_until_recovery() <= BACK_SECONDS + SLACK_SECONDS
    require_success(probe.writes())


def test_full_disk_allows_reads(sqlite_server: tuple[Path, Running, Probe]) -> None:
    file, server, probe = sqlite_server
    written = max(part.stat().st_size for part in file.parent.glob(f"{file.name}*"))
    with server.file_size_limited(written + 64 * 1024):
        written_until_full = itertools.takewhile(_succeeded, (probe.writes(1)[0] for _ in range(400)))
        assert 0 < sum(1 for _ in written_until_full) < 400, "the limit must be reached"
        require_refused(probe.writes())
        require_success(probe.reads())
        assert probe.health("live").status == 200
        assert probe.health("ready").status == 200
    assert probe.seconds_until_recovery() <= BACK_SECONDS + SLACK_SECONDS
    require_success(probe.reads() + probe.writes())
    with closing(sqlite3.connect(file)) as opened:
        assert integrity_errors(opened) == []


def _succeeded(response: TimedResponse) -> bool:
    return response.status == 200


def _socket_of(url: str) -> str:
    found = make_url(url)
    return f"{found.query['host']}/.s.PGSQL.{found.port or 5432}"
