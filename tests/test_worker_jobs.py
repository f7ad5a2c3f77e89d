"""One job in one worker, in this process: what happens at each stage if it is cancelled, stopped, or a part fails."""

import errno
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models import generation_work, generations
from models.audio import StoredAudio
from models.audio_store import AudioStore
from models.db.database import Database
from models.exceptions import AudioUnavailable, Unavailable
from models.generation_work import Work
from studio import encoding
from studio.engines.base import EngineFailed
from tools.testing import databases, jobs
from tools.testing.jobs import HOME, ask, caller, row, rows
from worker import jobs as worker_jobs
from worker import production
from worker.jobs import BROKEN, NOT_STORED, Runner
from worker.policy import Policy

ROOT = Path(__file__).parents[1]
ME = "worker_me"


class Scene:
    """A worker's runner on a new database, with a store in a folder."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.store = AudioStore((folder / "audio").as_uri())
        self.spool = folder / "spool"
        self.spool.mkdir()
        self.is_stopping = False
        self.waits: list[float] = []
        self.policy = Policy()
        self.runner = Runner(
            self.store, lambda: self.policy, {}, self.spool, lambda: self.is_stopping, self.waits.append
        )

    def run(self) -> Work:
        work = jobs.take(ME)
        assert work is not None
        self.runner.run(work)
        assert list(self.spool.iterdir()) == []
        return work

    def objects(self) -> list[str]:
        return [found.name for found in self.store.list()]


@pytest.fixture(params=databases.KINDS)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    with databases.migrated(request.param, tmp_path) as url, Database(url, pool_size=4) as database:
        yield Scene(database, tmp_path)


@pytest.fixture(autouse=True)
def at_every_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress is written at every call, and not once a second."""
    monkeypatch.setattr(worker_jobs, "PROGRESS_SECONDS", 0.0)


def at_share(monkeypatch: pytest.MonkeyPatch, share: float, act: Callable[[], object]) -> list[float]:
    """Calls `act` once when the progress of a piece reaches `share`; returns all shares as they come."""
    shares: list[float] = []
    acted: list[bool] = []
    call = worker_jobs.Reporter.__call__

    def reported(self: worker_jobs.Reporter, done: float) -> None:
        if done >= share and not acted:
            acted.append(True)
            act()
        shares.append(done)
        call(self, done)

    monkeypatch.setattr(worker_jobs.Reporter, "__call__", reported)
    return shares


def test_a_piece_becomes_a_track(scene: Scene) -> None:
    job = ask("ida", title="Rain", cents_per_minute=60, seconds=2)
    scene.run()
    [track] = rows("tracks")
    assert (row(job).status, row(job).result_track_id) == ("succeeded", track.id)
    assert (track.creator_id, track.title, track.engine, track.mode) == ("ida", "Rain", "studio", "creation")
    assert (track.duration_ms, track.mime_type, track.instrumental) == (2000, "audio/mpeg", True)
    assert (track.licence_class, track.commercial_use, track.requires_attribution) == (
        "commercial_cleared",
        True,
        False,
    )
    assert track.audio_name.startswith(f"{HOME}/{track.id}-")
    assert scene.store.size(track.audio_name) == track.audio_bytes
    assert rows("library_entries") == []
    assert scene.runner.counts.pieces == 1
    assert scene.runner.counts.seconds == 2
    jobs.require_consistent(scene.objects())


# Rendering, measuring, encoding, and its end.
STAGES = (0.0, 0.1, 0.26, 0.4, 0.5, 0.99)


@pytest.mark.slow
@pytest.mark.parametrize("share", STAGES)
def test_cancelling_at_each_stage_leaves_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    job = ask("ida", cents_per_minute=600, seconds=6)
    shares = at_share(monkeypatch, share, lambda: generations.cancel(caller("ida"), HOME, job.id))
    scene.run()
    assert row(job).status == "cancelled"
    assert len([one for one in shares if one >= share]) == 1, "the engine went on after the cancellation"
    assert rows("tracks") == []
    jobs.require_consistent(scene.objects())


@pytest.mark.slow
@pytest.mark.parametrize("share", STAGES)
def test_stopping_at_each_stage_gives_the_job_back(scene: Scene, monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    job = ask("ida", seconds=6)
    at_share(monkeypatch, share, lambda: setattr(scene, "is_stopping", True))
    scene.run()
    assert (row(job).status, row(job).attempt, row(job).worker_id) == ("queued", 0, None)
    jobs.require_consistent(scene.objects())
    scene.is_stopping = False
    scene.run()
    assert row(job).status == "succeeded"


def test_cancelling_while_the_audio_is_stored_removes_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    job = ask("ida", cents_per_minute=600)
    write = scene.store.write_file

    def write_and_cancel(*arguments: Any) -> StoredAudio:
        stored = write(*arguments)
        assert scene.objects() == [stored.name]
        generations.cancel(caller("ida"), HOME, job.id)
        return stored

    monkeypatch.setattr(scene.store, "write_file", write_and_cancel)
    scene.run()
    assert row(job).status == "cancelled"
    assert scene.objects() == []
    jobs.require_consistent([])


def test_a_commit_whose_answer_was_lost_keeps_the_audio(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    job = ask("ida", cents_per_minute=600)
    succeed, calls = generation_work.succeed, []

    def committed_and_lost(work: Work, add_track: Callable[[], str]) -> None:
        calls.append(work.id)
        succeed(work, add_track)
        if len(calls) == 1:
            raise Unavailable("The connection was lost during the commit")

    monkeypatch.setattr(generation_work, "succeed", committed_and_lost)
    scene.run()
    assert len(calls) == 2
    assert row(job).status == "succeeded"
    assert scene.runner.counts.pieces == 1
    jobs.require_consistent(scene.objects())


def test_a_database_that_is_away_at_the_end_is_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    ask("ida")
    succeed, calls = generation_work.succeed, []

    def unavailable_at_first(work: Work, add_track: Callable[[], str]) -> None:
        calls.append(work.id)
        if len(calls) < 6:
            raise Unavailable("The database does not answer")
        succeed(work, add_track)

    monkeypatch.setattr(generation_work, "succeed", unavailable_at_first)
    scene.run()
    assert scene.waits == [0.5, 1.0, 2.0, 4.0, 5.0]
    jobs.require_consistent(scene.objects())


def test_a_database_that_is_away_meanwhile_does_not_end_the_piece(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is away until the audio is stored."""
    job, outage, write = ask("ida"), pytest.MonkeyPatch(), scene.store.write_file

    def unavailable(*_arguments: Any) -> None:
        raise Unavailable("The database does not answer")

    def write_after_the_outage(*arguments: Any) -> StoredAudio:
        outage.undo()
        return write(*arguments)

    monkeypatch.setattr(scene.store, "write_file", write_after_the_outage)
    outage.setattr(generation_work, "report_progress", unavailable)
    outage.setattr(generation_work, "require_held", unavailable)
    scene.run()
    assert row(job).status == "succeeded"


def away(*_arguments: Any) -> StoredAudio:
    raise AudioUnavailable("no route to host")


def full(*_arguments: Any) -> StoredAudio:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("fault", [away, full])
def test_a_store_that_comes_back_gets_the_piece(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., StoredAudio]
) -> None:
    job = ask("ida")
    write, calls = scene.store.write_file, []

    def fails_at_first(*arguments: Any) -> StoredAudio:
        calls.append(arguments)
        return fault() if len(calls) < 4 else write(*arguments)

    monkeypatch.setattr(scene.store, "write_file", fails_at_first)
    scene.run()
    assert scene.waits == [0.5, 1.0, 2.0]
    assert (row(job).status, row(job).attempt) == ("succeeded", 1)
    jobs.require_consistent(scene.objects())


@pytest.mark.parametrize("fault", [away, full])
def test_a_store_that_stays_away_fails_the_job_at_the_third_attempt(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., StoredAudio]
) -> None:
    job = ask("ida", cents_per_minute=600)
    monkeypatch.setattr(scene.store, "write_file", fault)
    monkeypatch.setattr(worker_jobs, "STORE_SECONDS", 0.0)
    for attempt in (1, 2):
        assert scene.run().attempt == attempt
        assert row(job).status == "queued"
    scene.run()
    assert (row(job).status, row(job).error_message) == ("failed", NOT_STORED)
    jobs.require_consistent([])


@pytest.mark.parametrize("end", ["cancelled", "stopped"])
def test_waiting_for_a_store_ends_when_the_job_or_the_worker_does(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    job = ask("ida")

    def fails_and_ends(*_arguments: Any) -> StoredAudio:
        if end == "stopped":
            scene.is_stopping = True
        else:
            generations.cancel(caller("ida"), HOME, job.id)
        return away()

    monkeypatch.setattr(scene.store, "write_file", fails_and_ends)
    scene.run()
    assert len(scene.waits) == 1
    assert row(job).status == ("queued" if end == "stopped" else "cancelled")


def test_the_policy_refuses_before_anything_is_made(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_arguments: Any) -> None:
        raise AssertionError("the engine was started")

    class Forbidding(Policy):
        def refusal(self, *texts: str) -> str | None:
            return "No." if "words" in texts else None

    monkeypatch.setattr(production, "make", never)
    scene.policy = Forbidding()
    found = [
        ask("ida", prompt="words", cents_per_minute=600),
        ask("ida", lyrics="words"),
        ask("ida", title="words"),
        ask("ida", style_tags=("calm", "words")),
    ]
    for _ in found:
        scene.run()
    assert {(row(job).status, row(job).refusal_reason) for job in found} == {("refused", "No.")}
    assert scene.runner.counts.refusals == 4
    jobs.require_consistent([])


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (EngineFailed("The engine took too long.", "600 s"), "The engine took too long."),
        (ZeroDivisionError("/srv/secret/path"), BROKEN),
        (AssertionError(), BROKEN),
    ],
)
def test_an_engine_that_breaks_fails_the_job_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, failure: Exception, message: str
) -> None:
    def broken(*_arguments: Any) -> None:
        raise failure

    job = ask("ida", cents_per_minute=600)
    monkeypatch.setattr(production, "make", broken)
    scene.run()
    assert (row(job).status, row(job).error_message) == ("failed", message)
    assert scene.runner.counts.failures == 1
    jobs.require_consistent([])


def test_an_engine_that_is_gone_fails_the_job(scene: Scene) -> None:
    job = ask("ida", engine="gone")
    scene.run()
    assert row(job).error_message == "The engine is not available any more."


def test_progress_is_written_once_a_second(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_jobs, "PROGRESS_SECONDS", 1000.0)
    job = ask("ida", seconds=6)
    written: list[int] = []
    report = generation_work.report_progress

    def noted(work: Work, percent: int) -> None:
        written.append(percent)
        report(work, percent)

    monkeypatch.setattr(generation_work, "report_progress", noted)
    scene.run()
    assert row(job).status == "succeeded"
    assert len(written) <= 1


def test_progress_never_falls(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    job = ask("ida", seconds=6)
    seen: list[int] = []
    require = generation_work.report_progress

    def report(work: Work, percent: int) -> None:
        require(work, percent)
        seen.append(row(job).progress)

    monkeypatch.setattr(generation_work, "report_progress", report)
    scene.run()
    assert len(seen) > 5
    assert seen == sorted(seen)
    assert row(job).progress == 100


@pytest.mark.slow
def test_encoding_to_a_full_disk_is_an_error_of_the_disk(tmp_path: Path) -> None:
    """libsndfile raises an error of its own; the job must be tried again, and not failed as the engine's fault."""
    program = (
        "import resource, signal, sys; from pathlib import Path; import numpy as np; from studio import encoding\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "noise = (np.random.default_rng(1).uniform(-1, 1, (44100, 2)).astype(np.float32) for _ in range(20))\n"
        "try: encoding.write(noise, Path(sys.argv[1]))\n"
        "except OSError as full: print('disk', full.errno)\n"
    )
    for suffix in encoding.MEDIA_TYPES:
        words = [sys.executable, "-c", program, str(tmp_path / f"piece.{suffix}")]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.stdout.startswith("disk"), (suffix, done.stderr)
