"""While the database is away, silent, locked or full, clients are told so in time; then all goes on by itself."""

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
from tools.endurance.outage import BACK_SECONDS, SLACK_SECONDS, Probe, require_good, require_only_live, require_refused
from tools.testing import databases
from tools.testing.flaky_proxy import Proxy, proxied
from tools.testing.server_process import Running, new_key, running

pytestmark = pytest.mark.slow


class Wired(NamedTuple):
    """A server that reaches its PostgreSQL through a proxy, and both ends of it."""

    postgres: databases.Breakable
    proxy: Proxy
    server: Running
    probe: Probe


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    with databases.breakable_postgres() as postgres:
        migrate.upgrade(postgres.url)
        secret = new_key(postgres.url)
        with proxied(_socket_of(postgres.url)) as proxy:
            url = make_url(postgres.url).set(host="127.0.0.1", port=proxy.port, query={})
            with running(url.render_as_string(False), tmp_path_factory.mktemp("wired")) as server:
                yield Wired(postgres, proxy, server, Probe(server, secret))


class Outage(NamedTuple):
    begin: Callable[[Wired], None]
    end: Callable[[Wired], None]


def _silent(wired: Wired, silent: bool) -> None:
    wired.proxy.silent = silent


def _cut_after(wired: Wired, count: int | None) -> None:
    wired.proxy.cut_after = count


def _crash(wired: Wired) -> None:
    """As `pg_ctl stop -m immediate` does."""
    head = psutil.Process(wired.postgres._server.get_pid())
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
def test_an_absent_postgresql_is_told_in_time_and_found_again(wired: Wired, name: str) -> None:
    outage, probe = OUTAGES[name], wired.probe
    require_good(probe.reads() + probe.writes())
    outage.begin(wired)
    try:
        require_refused(probe.writes())
        require_refused(probe.reads())
        require_only_live(probe)
    finally:
        outage.end(wired)
    assert probe.seconds_until_good() <= BACK_SECONDS + SLACK_SECONDS
    require_good(probe.reads() + probe.writes())
    assert probe.health("ready").status == 200


def test_a_connection_cut_within_an_answer_is_no_fault_of_the_service(wired: Wired) -> None:
    for count in (100, 1000, 3000):
        wired.proxy.cut_after = count
        answers = wired.probe.writes(8) + wired.probe.reads(8)
        assert {told.status for told in answers} <= {200, 503}
    wired.proxy.cut_after = None
    assert wired.probe.seconds_until_good() <= BACK_SECONDS + SLACK_SECONDS


def test_a_restart_of_postgresql_is_over_when_it_is_over(wired: Wired) -> None:
    _crash(wired)
    wired.postgres.start()
    assert wired.probe.seconds_until_good() <= BACK_SECONDS + SLACK_SECONDS
    require_good(wired.probe.reads() + wired.probe.writes())


@pytest.fixture
def filed(tmp_path: Path) -> Iterator[tuple[Path, Running, Probe]]:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    with running(url, tmp_path, LOG_LEVEL="error") as server:
        yield Path(url.removeprefix("sqlite:///")), server, Probe(server, server.key())


@pytest.mark.parametrize("word", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_file_locked_by_another_process_can_be_read(filed: tuple[Path, Running, Probe], word: str) -> None:
    file, _, probe = filed
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute(f"BEGIN {word}")
        require_refused(probe.writes())
        require_good(probe.reads())
        assert probe.health("ready").status == 200
        other.execute("ROLLBACK")
    assert probe.seconds_until_good() <= BACK_SECONDS + SLACK_SECONDS
    require_good(probe.writes())


def test_a_full_disk_can_be_read(filed: tuple[Path, Running, Probe]) -> None:
    file, server, probe = filed
    written = max(part.stat().st_size for part in file.parent.glob(f"{file.name}*"))
    with server.file_size_limited(written + 64 * 1024):
        told = [probe.writes(1)[0] for _ in range(40)]
        assert {one.status for one in told} == {200, 503}, "the limit must be met"
        require_refused(probe.writes())
        require_good(probe.reads())
        assert probe.health("live").status == 200
        assert probe.health("ready").status == 200
    assert probe.seconds_until_good() <= BACK_SECONDS + SLACK_SECONDS
    require_good(probe.reads() + probe.writes())
    with closing(sqlite3.connect(file)) as opened:
        assert integrity_errors(opened) == []


def _socket_of(url: str) -> str:
    found = make_url(url)
    return f"{found.query['host']}/.s.PGSQL.{found.port or 5432}"
