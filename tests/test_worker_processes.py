"""Parts of a worker's process: its identity, heartbeats, supervisor and metrics, and the end of old jobs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import bindparam, update

from models import focus_sessions, focus_work, generation_queue, generations, workers
from models.base import now
from models.db import connection
from models.db.database import Database
from models.focus_sessions import Wish
from models.focus_tables import focus_sessions as sessions_table
from models.generation_queue import QueueState
from models.generation_tables import generations as table
from models.generation_tables import workers as workers_table
from ops import jobs as ops_jobs
from tools.testing import databases, jobs
from tools.testing.jobs import HOME, ask, caller, row, rows
from web.telemetry.worker_metrics import JobMetricsCollector
from worker import heartbeat, identity, metrics, supervisor
from worker.heartbeat import DEAD_SECONDS, Watch
from worker.jobs import Counts
from worker.supervisor import Supervisor

ROOT = Path(__file__).parents[1]
ME, OTHER = "worker_me", "worker_other"


@pytest.fixture(params=databases.KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with databases.migrated(request.param, tmp_path) as url, Database(url, pool_size=4) as opened:
        yield opened


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def watched(watch: Watch, clock: Clock, seconds: float, *, beating: bool) -> float | None:
    """Looks once a second; returns the second in which the other worker was found dead."""
    for second in range(int(seconds)):
        if beating and second % 5 == 0:
            workers.beat(OTHER)
        if watch.dead() == [OTHER]:
            return second
        clock.now += 1
    return None


@pytest.fixture
def other(database: Database) -> str:
    """Another worker, which has a job."""
    ask("ida")
    workers.beat(OTHER)
    assert jobs.take(OTHER) is not None
    return OTHER


def test_a_worker_without_a_heartbeat_for_15_seconds_is_dead(other: str) -> None:
    clock = Clock()
    watch = Watch(ME, clock)
    assert watched(watch, clock, 60, beating=True) is None
    # The last heartbeat was five seconds before the last look.
    assert watched(watch, clock, 60, beating=False) == DEAD_SECONDS - 5


def test_a_worker_with_a_job_and_no_row_is_dead_too(other: str) -> None:
    workers.remove(OTHER)
    clock = Clock()
    assert watched(Watch(ME, clock), clock, 60, beating=False) == DEAD_SECONDS


def test_clocks_that_differ_or_are_set_back_kill_nobody(other: str) -> None:
    clock = Clock()
    watch = Watch(ME, clock)
    for hours in (0, -48, 48, -1):
        moment = now() + timedelta(hours=hours)
        for second in range(20):
            connection.execute(update(workers_table).values(heartbeat_at=moment + timedelta(seconds=second // 5)))
            assert watch.dead() == []
            clock.now += 1


def test_a_time_in_which_nobody_looked_proves_nothing(other: str) -> None:
    """The machine or this process stood still, or the database was away."""
    clock = Clock()
    watch = Watch(ME, clock)
    assert watched(watch, clock, 10, beating=False) is None
    clock.now += 600
    assert watched(watch, clock, 14, beating=False) is None
    assert watched(watch, clock, 14, beating=False) == 1


def test_workers_without_a_job_are_not_watched(database: Database) -> None:
    workers.beat(OTHER)
    clock = Clock()
    assert watched(Watch(ME, clock), clock, 60, beating=False) is None


def test_a_takeover_frees_the_job_and_forgets_the_worker(other: str) -> None:
    heartbeat.take_over(OTHER)
    assert jobs.statuses() == {"queued": 1}
    assert rows("workers") == []


def test_an_identity_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    with identity.held(tmp_path) as first, identity.held(tmp_path) as second:
        assert first.id != second.id
        assert first.spool != second.spool
        (first.spool / "left").write_text("over")
    with identity.held(tmp_path) as again:
        assert again.id == first.id
        assert list(again.spool.iterdir()) == [], "what a killed process left is removed"
    other = tmp_path / "other"
    with identity.held(other) as elsewhere:
        assert elsewhere.id not in (first.id, second.id)


def test_a_damaged_identity_is_replaced(tmp_path: Path) -> None:
    with identity.held(tmp_path) as first:
        pass
    (tmp_path / "0" / "lock").write_bytes(b"\xff")
    with identity.held(tmp_path) as second:
        assert second.id.startswith("worker_")
        assert second.id != first.id
    with identity.held(tmp_path) as third:
        assert third.id == second.id


@pytest.mark.slow
def test_a_stopped_process_keeps_its_identity_and_a_killed_one_does_not(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from worker import identity\n"
        "with identity.held(Path(sys.argv[1])) as own: print(own.id, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    theirs = process.stdout.readline().strip()
    process.send_signal(signal.SIGSTOP)
    with identity.held(tmp_path) as mine:
        assert mine.id != theirs
    process.kill()
    process.wait()
    process.stdout.close()
    with identity.held(tmp_path) as mine:
        assert mine.id == theirs


def test_a_supervisor_replaces_what_ends_and_waits_longer_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.05)
    starts = tmp_path / "starts"
    with Supervisor(["sh", "-c", f"date +%s.%N >> '{starts}'; exit 3"], 1):
        ends = time.monotonic() + 60
        while (not starts.exists() or len(starts.read_text().split()) < 5) and time.monotonic() < ends:
            time.sleep(0.01)
    moments = [float(line) for line in starts.read_text().split()][:5]
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert all(pause >= least for pause, least in zip(pauses, (0.1, 0.2, 0.4, 0.8), strict=False)), pauses


def test_a_supervisor_ends_its_processes_even_those_that_do_not_want_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.5)
    ready = tmp_path / "ready"
    program = f"trap '' TERM; echo $$ >> '{ready}'; while :; do sleep 0.1; done"
    with Supervisor(["sh", "-c", program], 2):
        ends = time.monotonic() + 60
        while (not ready.exists() or len(ready.read_text().split()) < 2) and time.monotonic() < ends:
            time.sleep(0.01)
        found = [psutil.Process(int(line)) for line in ready.read_text().split()]
    assert not any(process.is_running() for process in found)


def scraped(folder: Path, states: Mapping[str, QueueState]) -> dict[tuple[str, str], float]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(JobMetricsCollector(folder, lambda: states))
    return {
        (sample.name.removeprefix("music_studio_"), sample.labels.get("status", "")): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


def test_metrics_sum_the_workers_and_read_the_queue(tmp_path: Path) -> None:
    counts = Counts(pieces=3, seconds=90.5, failures=2, refusals=1)
    with metrics.written(counts, str(tmp_path)):
        ends = time.monotonic() + 30
        while not list(tmp_path.glob("studio-*.json")) and time.monotonic() < ends:
            time.sleep(0.01)
    [own] = tmp_path.glob("studio-*.json")
    (tmp_path / "studio-999999999.json").write_bytes(own.read_bytes())  # of a worker that has ended
    (tmp_path / "studio-broken.json").write_text("{")
    (tmp_path / f"{os.getpid()}.json").write_text("{}")  # of a web worker
    found = scraped(tmp_path, {"job": QueueState(5, 2, 33.5), "segment": QueueState(4, 1, 2.5)})
    assert found[("jobs", "queued")] == 5
    assert found[("jobs", "running")] == 2
    assert found[("oldest_job_seconds", "")] == 33.5
    assert found[("segments", "queued")] == 4
    assert found[("segments", "running")] == 1
    assert found[("oldest_segment_seconds", "")] == 2.5
    assert found[("pieces_total", "")] == 6
    assert found[("audio_seconds_total", "")] == 181
    assert found[("jobs_failed_total", "")] == 4
    assert found[("jobs_refused_total", "")] == 2
    assert found[("studio_workers", "")] == 1
    assert found[("studio_memory_bytes", "")] > 0
    assert {("jobs", "queued"), ("segments", "queued")}.isdisjoint(scraped(tmp_path, {}))


def test_without_a_folder_no_metrics_are_written(tmp_path: Path) -> None:
    with metrics.written(Counts(), ""):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_queue_has_a_length_and_an_age(database: Database) -> None:
    assert generation_queue.state() == (0, 0, 0.0)
    for _ in range(3):
        ask("ida")
    jobs.take(ME)
    moment = now() - timedelta(seconds=100)
    connection.execute(update(table).where(table.c.status == "queued").values(created_at=moment))
    state = ops_jobs.queue_states(database.url)["job"]
    assert (state.queued, state.running) == (2, 1)
    assert 100 <= state.oldest_seconds < 200
    connection.execute(update(table).values(created_at=now() + timedelta(days=1)))
    assert generation_queue.state().oldest_seconds == 0


def test_the_queue_of_segments_has_a_length_and_an_age(database: Database) -> None:
    assert ops_jobs.queue_states(database.url)["segment"] == (0, 0, 0.0)
    for user in ("ida", "ole", "eva"):
        wish = Wish("focus", "studio", None, "medium", 40, 30, None, bytes(32))
        focus_sessions.start(caller(user), HOME, wish, 0)
    first, second, third = (row.id for row in rows("focus_sessions"))
    assert focus_work.take(HOME, first, ME) is not None
    due = sessions_table.update().where(sessions_table.c.id == bindparam("session")).values(due_at=bindparam("due"))
    for session, seconds in ((second, -100), (third, 100)):
        connection.execute(due, session=session, due=now() + timedelta(seconds=seconds))
    state = ops_jobs.queue_states(database.url)["segment"]
    assert (state.queued, state.running) == (1, 1)
    assert 100 <= state.oldest_seconds < 200


def test_old_jobs_are_deleted_and_others_are_not(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation_queue, "BATCH_END", generation_queue.BATCH_END.offset(1))  # batches of two
    made = [ask("ida") for _ in range(8)]
    for job in made[:6]:
        generations.cancel(caller("ida"), HOME, job.id)
    for job, days in zip(made[:6], (100, 91, 91, 90.1, 89.9, 1), strict=True):
        moment = now() - timedelta(days=days)
        connection.execute(update(table).where(table.c.id == job.id).values(finished_at=moment))
    connection.execute(update(table).where(table.c.id == made[7].id).values(created_at=now() - timedelta(days=200)))
    ops_jobs.delete_old(database.url, 90)
    assert sorted(one.id for one in rows("generations")) == sorted(job.id for job in made[4:])
    assert row(made[7]).status == "queued"
