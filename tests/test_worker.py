"""Worker processes: killed, stopped, continued, told to end, without a database, without room, beside a server."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

import settings
from cli import background, work, workers
from models import generations, keys
from models.exceptions import Unavailable
from ops.errors import CommandError
from tools.testing import databases, jobs
from tools.testing.cli_runner import Shell
from tools.testing.jobs import HOME, ask, caller, row, rows
from tools.testing.server_process import Running
from tools.testing.service import PEPPER, READ, ROOT, WRITE
from tools.testing.studio_workers import Studio

pytestmark = pytest.mark.slow
ENGINES_VARIABLE = "MUSIC_STUDIO_COMMAND_ENGINES"


@pytest.fixture(params=databases.KINDS)
def studio(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Studio]:
    with databases.migrated(request.param, tmp_path) as url:
        opened = Studio(url, tmp_path)
        try:
            yield opened
        finally:
            opened.close()


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Studio]:
    with databases.migrated("sqlite", tmp_path) as url:
        opened = Studio(url, tmp_path)
        try:
            yield opened
        finally:
            opened.close()


def queue(studio: Studio, *engines: str, **fields: object) -> list[generations.Job]:
    with studio.database.use():
        return [ask("ida", engine=engine, **fields) for engine in engines]  # type: ignore[arg-type]


def is_running(job: generations.Job) -> bool:
    return bool(row(job).status == "running")


def is_attempt(job: generations.Job, number: int) -> bool:
    return bool(is_running(job) and row(job).attempt == number)


def require_consistent(studio: Studio) -> None:
    with studio.database.use():
        jobs.require_consistent(studio.objects())


def test_every_kind_of_engine_makes_its_pieces(studio: Studio) -> None:
    made = queue(studio, "cat", "studio", "drift", "broken", "unwilling", "gone", cents_per_minute=600)
    [worker] = studio.start()
    studio.await_statuses(succeeded=3, failed=2, refused=1)
    studio.stop(worker)
    require_consistent(studio)
    with studio.database.use():
        assert rows("workers") == []
        assert row(made[4]).refusal_reason == "No vocals."
        assert {row(job).error_message for job in (made[3], made[5])} == {
            "The engine failed.",
            "The engine is not available any more.",
        }
        assert {track.licence_class for track in rows("tracks")} == {"unclear", "commercial_cleared"}
    assert studio.spooled() == []


def test_a_worker_that_is_killed_leaves_its_job_to_the_next_one_at_once(studio: Studio) -> None:
    """The next worker of this machine has the same identity, and waits for no heartbeat."""
    [job] = queue(studio, "slow", seconds=600)
    for attempt in (1, 2, 3):
        [worker] = studio.start()
        studio.await_(partial(is_attempt, job, attempt))
        studio.kill(worker)
    queue(studio, "cat")
    [worker] = studio.start()
    studio.await_statuses(failed=1, succeeded=1)
    with studio.database.use():
        assert row(job).error_message == "The service stopped three times while it made this piece."
    assert len(list((studio.folder / "workers").iterdir())) == 1
    studio.stop(worker)
    require_consistent(studio)
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(studio.folder) in str(one.info["cmdline"])]


def test_a_worker_that_goes_on_after_its_takeover_writes_nothing(studio: Studio) -> None:
    [job] = queue(studio, "second")
    [stopped] = studio.start()
    studio.await_(lambda: is_running(job))
    stopped.send_signal(signal.SIGSTOP)
    with studio.database.use():
        assert is_running(job), "the piece was made before the worker was stopped"
        first = row(job).worker_id
    started = time.monotonic()
    studio.start()
    studio.await_statuses(succeeded=1)
    assert "job taken over" in studio.text()
    assert time.monotonic() - started > 10, "taken over without waiting for a heartbeat"
    with studio.database.use():
        before = (row(job), rows("tracks"), rows("active_jobs"))
    assert (before[0].attempt, before[0].worker_id != first) == (2, True)
    stopped.send_signal(signal.SIGCONT)
    studio.await_(lambda: "job lost" in studio.text())
    with studio.database.use():
        assert (row(job), rows("tracks"), rows("active_jobs")) == before
    require_consistent(studio)
    queue(studio, "cat", "cat")
    studio.await_statuses(succeeded=3)
    require_consistent(studio)


def test_a_worker_that_is_told_to_stop_gives_its_job_back(studio: Studio) -> None:
    """An upgrade with a full queue: the old workers end, new ones make what waits."""
    queue(studio, *["second"] * 6, "slow", seconds=60)
    old = studio.start(2)
    studio.await_(lambda: jobs.statuses()["running"] == 2)
    for worker in old:
        studio.stop(worker)
    with studio.database.use():
        left = jobs.statuses()
        assert left["running"] == 0
        assert left["queued"] + left["succeeded"] == 7
        assert {job.attempt for job in rows("generations") if job.status == "queued"} == {0}
        assert rows("workers") == []
        slow = next(job for job in rows("generations") if job.engine == "slow")
        generations.cancel(caller("ida"), HOME, slow.id)
    studio.start(1)
    studio.await_statuses(succeeded=6, cancelled=1)
    require_consistent(studio)


def test_jobs_of_many_callers_on_several_workers(studio: Studio) -> None:
    """Each becomes one track, and a caller with one job does not wait for those with many."""
    with studio.database.use():
        for number in range(30):
            ask(f"greedy_{number % 5}", engine="cat", cents_per_minute=600)
        for number in range(5):
            ask(f"modest_{number}", engine="cat", cents_per_minute=600)
    studio.start(3)
    studio.await_statuses(600, succeeded=35)
    require_consistent(studio)
    with studio.database.use():
        found = rows("generations")
    assert len({job.result_track_id for job in found}) == 35
    assert {job.attempt for job in found} == {1}
    assert len({job.worker_id for job in found}) > 1, "one worker made everything"
    begun = sorted(found, key=lambda job: job.started_at)
    turns = [index for index, job in enumerate(begun) if job.user_id.startswith("modest")]
    assert max(turns) < 10 + 3, "a caller with one job has waited for more than the others' first jobs"


def test_cancelling_frees_the_worker(studio: Studio) -> None:
    program, ours = queue(studio, "slow", "studio", seconds=600)
    [last] = queue(studio, "cat")
    studio.start()
    for job in (program, ours):
        studio.await_(partial(is_running, job))
        with studio.database.use():
            generations.cancel(caller("ida"), HOME, job.id)
    studio.await_(lambda: row(last).status == "succeeded")
    require_consistent(studio)


def test_a_worker_survives_an_outage_of_the_database(tmp_path: Path) -> None:
    with databases.breakable_postgres() as server:
        from models.db import migrate

        migrate.upgrade(server.url)
        studio = Studio(server.url, tmp_path)
        try:
            queue(studio, *["second"] * 4)
            [worker] = studio.start()
            studio.await_(lambda: jobs.statuses()["running"] == 1)
            server.stop()
            time.sleep(4)
            assert worker.poll() is None
            server.start()
            studio.await_(lambda: _answers() and jobs.statuses() == {"succeeded": 4})
            require_consistent(studio)
            server.stop()
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0, "a worker waits for a database although it shall stop"
        finally:
            server.start()
            studio.close()


def _answers() -> bool:
    try:
        return bool(rows("generations"))
    except Unavailable:
        return False


def test_no_piece_starts_on_a_full_disk(on_sqlite: Studio) -> None:
    queue(on_sqlite, "cat")
    [worker] = on_sqlite.start(MIN_FREE_MIB="100000000")
    on_sqlite.await_(lambda: "no piece starts, the disk is full" in on_sqlite.text())
    time.sleep(2)
    with on_sqlite.database.use():
        assert jobs.statuses() == {"queued": 1}
    on_sqlite.stop(worker)
    assert on_sqlite.text().count("the disk is full") == 1
    on_sqlite.start()
    on_sqlite.await_statuses(succeeded=1)


def test_a_file_of_the_operator_with_a_mistake_is_named(on_sqlite: Studio) -> None:
    broken = on_sqlite.folder / "broken.toml"
    broken.write_text("[[rules]]\npatterns = ['(']", encoding="utf-8")
    [worker] = on_sqlite.start(POLICY=str(broken))
    assert worker.wait(60) == 1
    assert f"music-studio: {broken}, rule 1: '(' is no expression of RE2" in on_sqlite.text()
    assert "Traceback" not in on_sqlite.text()


def test_sighup_reads_the_files_again_before_the_next_job(on_sqlite: Studio) -> None:
    """A program and a rule are added while a job is made; it goes on, and the next jobs know both."""
    engines, rules = on_sqlite.folder / "engines.toml", on_sqlite.folder / "policy.toml"
    rules.write_text("", encoding="utf-8")
    [worker] = on_sqlite.start(POLICY=str(rules))
    [at_work] = queue(on_sqlite, "second")
    on_sqlite.await_(lambda: is_running(at_work))
    text = engines.read_text(encoding="utf-8")
    engines.write_text(text + text[: text.index("[engines.slow]")].replace("cat]", "fresh]"), encoding="utf-8")
    rules.write_text('[[rules]]\nreason = "No storms."\nwords = ["storm"]', encoding="utf-8")
    worker.send_signal(signal.SIGHUP)
    queue(on_sqlite, "fresh")
    queue(on_sqlite, "cat", prompt="a storm")
    on_sqlite.await_statuses(succeeded=2, refused=1)
    with on_sqlite.database.use():
        assert row(at_work).attempt == 1
    engines.write_text("broken", encoding="utf-8")
    rules.write_text("broken", encoding="utf-8")
    worker.send_signal(signal.SIGHUP)
    on_sqlite.await_(lambda: "programs not read, those of before stay" in on_sqlite.text())
    queue(on_sqlite, "fresh")
    on_sqlite.await_statuses(succeeded=3, refused=1)
    assert "policy not read, the one before stays" in on_sqlite.text()
    on_sqlite.stop(worker)


def test_a_worker_whose_terminal_was_closed_gives_its_job_back(on_sqlite: Studio) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cli", "work"]
    with subprocess.Popen(
        command, cwd=ROOT, env=on_sqlite.environ, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as worker:
        os.close(theirs)
        [slow] = queue(on_sqlite, "slow")
        on_sqlite.await_(lambda: is_running(slow))
        os.close(ours)
        worker.send_signal(signal.SIGHUP)
        assert worker.wait(60) == 0
    with on_sqlite.database.use():
        assert (row(slow).status, row(slow).attempt) == ("queued", 0)


def test_the_supervisor_passes_sighup_on(on_sqlite: Studio, tmp_path: Path) -> None:
    server = serving(on_sqlite, tmp_path, 2)
    try:
        server.await_ready()
        queue(on_sqlite, "cat")
        on_sqlite.await_statuses(succeeded=1)
        before = studio_worker(server).pid
        server.process.send_signal(signal.SIGHUP)
        assert "programs read again" in server.await_log("worker renewed")
        queue(on_sqlite, "cat")
        on_sqlite.await_statuses(succeeded=2)
        assert studio_worker(server).pid == before
    finally:
        server.process.kill()
        server.process.wait()


def serving(studio: Studio, folder: Path, workers: int) -> Running:
    names = {name.removeprefix("MUSIC_STUDIO_"): value for name, value in studio.environ.items()
             if name.startswith("MUSIC_STUDIO_")}  # fmt: skip
    given = {name: names[name] for name in ("AUDIO_URL", "COMMAND_ENGINES", "WORKER_DIR", "MIN_FREE_MIB")}
    return Running(names["DATABASE_URL"], folder, workers=workers, **given | {"WORKERS_STUDIO": "1"})


def studio_worker(server: Running) -> psutil.Process:
    found = [one for one in psutil.Process(server.process.pid).children() if "workers.run_beside" in str(one.cmdline())]
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_makes_music_replaces_its_worker_and_ends_it(on_sqlite: Studio, tmp_path: Path, workers: int) -> None:
    server = serving(on_sqlite, tmp_path, workers)
    try:
        server.await_ready()
        queue(on_sqlite, "cat")
        on_sqlite.await_statuses(succeeded=1)
        first = studio_worker(server)
        assert first.nice() == min(19, psutil.Process().nice() + 10)
        [slow] = queue(on_sqlite, "slow")
        on_sqlite.await_(lambda: is_running(slow))
        first.kill()
        on_sqlite.await_(lambda: row(slow).attempt == 2)
        second = studio_worker(server)
        assert second.pid != first.pid
        assert server.health("live") == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
        assert not psutil.wait_procs([second], 10)[1]
        with on_sqlite.database.use():
            assert (row(slow).status, row(slow).attempt) == ("queued", 1)
        assert "studio worker replaced" in server.log_text()
    finally:
        server.process.kill()
        server.process.wait()


def test_a_worker_ends_when_its_server_is_killed(on_sqlite: Studio, tmp_path: Path) -> None:
    server = serving(on_sqlite, tmp_path, 1)
    try:
        server.await_ready()
        [slow] = queue(on_sqlite, "slow")
        on_sqlite.await_(lambda: is_running(slow))
        worker = studio_worker(server)
        server.process.kill()
        server.process.wait()
        assert not psutil.wait_procs([worker], 30)[1]
        with on_sqlite.database.use():
            assert (row(slow).status, row(slow).attempt) == ("queued", 0)
    finally:
        server.process.kill()
        server.process.wait()


def test_a_request_becomes_a_piece(on_sqlite: Studio, tmp_path: Path) -> None:
    """From the first request to a track, over HTTP."""
    server = serving(on_sqlite, tmp_path, 1)
    try:
        server.await_ready()
        with on_sqlite.database.use():
            caller("ida")
            _, secret = keys.make(HOME, "ida", [READ, WRITE], None, pepper=PEPPER.encode(), rate_limit=None)
        with httpx.Client(
            base_url=f"{server.url}/v1/music/{HOME}", headers={"X-API-Key": secret}, trust_env=False, timeout=30
        ) as client:
            listed = client.get("/engines").json()["items"]
            assert {"studio", "drift", "cat"} <= {engine["engine_key"] for engine in listed}
            body = {"engine": "cat", "prompt": "rain", "duration_seconds": 1}
            answer = client.post("/generations", json=body)
            assert answer.status_code == 202, answer.text
            job = answer.json()
            ends = time.monotonic() + 60
            while job["status"] not in ("succeeded", "failed") and time.monotonic() < ends:
                found = client.get(f"/generations/{job['id']}")
                assert found.status_code == 200, found.text
                job = found.json()
                time.sleep(0.1)
            assert job["status"] == "succeeded", job
            assert client.get(f"/tracks/{job['result_track_id']}").json()["engine"] == "cat"
    finally:
        server.process.kill()
        server.process.wait()


def test_without_its_packages_a_server_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(workers, "PACKAGES", ("numpy", "no_such_package"))
    with background.studio_workers(settings.Settings()):
        pass
    assert capsys.readouterr().err == (
        "No music is made here: the engines need the package no_such_package. Install music-studio[studio].\n"
    )
    with pytest.raises(CommandError, match="The engines need the package no_such_package"):
        work.work(None)
    assert os.environ.get("MUSIC_STUDIO_DATABASE_URL") is None


def test_programs_of_the_operator_can_be_priced(on_sqlite: Studio, sqlite: Shell) -> None:
    sqlite.environ |= {name: on_sqlite.environ[name] for name in ("MUSIC_STUDIO_DATABASE_URL", ENGINES_VARIABLE)}
    assert {"cat", "drift", "slow", "studio"} <= {row["engine"] for row in sqlite.json("engines", "list")}
    assert sqlite.json("engines", "price", "cat", "0.25")["chf_per_minute"] == "0.25"
    broken = on_sqlite.folder / "broken.toml"
    broken.write_text("[engines.a]", encoding="utf-8")
    message = sqlite.error("engines", "list", **{ENGINES_VARIABLE: str(broken)})
    assert "engine a: command must be a list of texts" in message
