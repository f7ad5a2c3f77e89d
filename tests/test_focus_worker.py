"""Segments in workers: made in order, by whoever is alive, once; and what ends a session instead."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from models import focus_sessions, focus_work, turns, workers
from models.audio_store import AudioStore
from models.db.database import Database
from models.exceptions import AudioUnavailable
from models.focus_sessions import Session, Wish
from models.focus_work import SegmentWork
from models.keys import Actor
from ops import after_restore
from ops import audio as ops_audio
from ops.after_restore import LostHistory
from studio.engines.base import EngineFailed
from tools.testing import databases
from tools.testing.jobs import HOME, caller, rows
from tools.testing.studio_workers import Studio
from worker import jobs as worker_jobs
from worker import segments
from worker.jobs import Runner
from worker.policy import Policy

ME = "worker_me"
SECONDS = 6


def start(engine: str = "studio", **fields: Any) -> Session:
    """A new session of short segments, all of which may be made at once."""
    usual = {"goal": "focus", "custom_prompt": None, "intensity": "medium", "target_minutes": 1}
    values: dict[str, Any] = usual | {"segment_seconds": SECONDS} | fields
    wish = Wish(
        engine=engine,
        divergence_percent=40,
        idempotency_key=None,
        fingerprint=bytes(32),
        **values,
    )
    session, is_new = focus_sessions.start(caller("ida"), HOME, wish, 600)
    assert is_new
    return session


def now_of(session: Session) -> Session:
    """The session as it is now."""
    return focus_sessions.get(caller("ida"), HOME, session.id)


def require_consistent(objects: list[str]) -> None:
    """Asserts that the store has what rows name, that each segment that counts is paid once, and nothing else is."""
    made = [row for row in rows("focus_segments") if row.made_at is not None]
    assert sorted(row.audio_name for row in made) == sorted(objects)
    paid = sum(row.cost_cents for row in rows("focus_segments"))
    assert {row.spent_cents for row in rows("spend_windows")} == {paid}


class Scene:
    """A worker's runner on a new database, with a store in a folder."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.store = AudioStore((folder / "audio").as_uri())
        self.spool = folder / "spool"
        self.spool.mkdir()
        self.is_stopping = False
        self.policy = Policy()
        self.runner = Runner(
            self.store, lambda: self.policy, {}, self.spool, lambda: self.is_stopping, lambda _seconds: None
        )

    def run(self) -> None:
        work = turns.take(ME)
        assert isinstance(work, SegmentWork)
        self.runner.run(work)
        assert list(self.spool.iterdir()) == []

    def objects(self) -> list[str]:
        return [found.name for found in self.store.list()]


@pytest.fixture(params=databases.KINDS)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    with databases.migrated(request.param, tmp_path) as url, Database(url, pool_size=4) as database:
        yield Scene(database, tmp_path)


def test_a_worker_makes_segments_in_order(scene: Scene) -> None:
    session = start()
    for index in range(2):
        scene.run()
        [*_, segment] = focus_sessions.segments(session)
        assert (segment.segment_index, segment.duration_ms, segment.mime_type) == (index, SECONDS * 1000, "audio/mpeg")
        assert segment.audio_name.startswith(f"{HOME}/{session.id}-{index}-")
        assert 0 < segment.fade_ms <= SECONDS * 1000 / 2
        path = scene.store.path(segment.audio_name)
        assert path is not None
        assert abs(soundfile.info(path).duration - SECONDS) < 0.1
    assert (now_of(session).next_index, scene.runner.counts.pieces) == (2, 2)
    assert rows("tracks") == rows("generations") == []
    require_consistent(scene.objects())


def test_the_last_segment_completes_a_session(scene: Scene) -> None:
    session = start(target_minutes=1, segment_seconds=60)
    work = turns.take(ME)
    assert isinstance(work, SegmentWork)
    focus_work.succeed(work, scene.store.write_bytes(HOME, work.id, "audio/mpeg", b"x"), 60_000, 3000)
    assert (now_of(session).due_at, now_of(session).more_pending, now_of(session).status) == (None, False, "active")
    assert turns.take(ME) is None


def test_a_session_that_ends_meanwhile_leaves_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    session, write = start(), scene.store.write_file

    def write_and_end(*arguments: Any) -> Any:
        stored = write(*arguments)
        focus_sessions.end(caller("ida"), HOME, session.id)
        return stored

    monkeypatch.setattr(scene.store, "write_file", write_and_end)
    scene.run()
    assert (now_of(session).status, scene.objects(), rows("focus_segments")) == ("ended", [], [])
    require_consistent([])


def test_a_worker_that_stops_gives_the_segment_back(scene: Scene) -> None:
    session = start()
    scene.is_stopping = True
    scene.run()
    assert (now_of(session).worker_id, now_of(session).attempt) == (None, 0)
    scene.is_stopping = False
    scene.run()
    assert now_of(session).next_index == 1
    require_consistent(scene.objects())


@pytest.mark.parametrize("failure", [EngineFailed("No.", ""), ZeroDivisionError("broken")])
def test_an_engine_that_breaks_ends_the_session_at_no_cost(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def broken(*_arguments: Any) -> None:
        raise failure

    session = start()
    monkeypatch.setattr(segments, "make", broken)
    scene.run()
    assert (now_of(session).status, scene.runner.counts.failures) == ("ended", 1)
    require_consistent([])


def test_the_policy_ends_a_session_for_its_prompt(scene: Scene) -> None:
    class Forbidding(Policy):
        def refusal(self, *texts: str) -> str | None:
            return "No." if "words" in texts else None

    scene.policy = Forbidding()
    session = start(goal="custom_prompt", custom_prompt="words")
    scene.run()
    assert (now_of(session).status, scene.runner.counts.refusals) == ("ended", 1)
    require_consistent([])


def test_a_store_that_fails_three_times_ends_the_session(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: Any) -> None:
        raise AudioUnavailable("full")

    monkeypatch.setattr(worker_jobs, "STORE_SECONDS", 0.0)
    monkeypatch.setattr(scene.store, "write_file", fails)
    session = start()
    for attempt in (1, 2, 3):
        assert (now_of(session).status, now_of(session).attempt) == ("active", attempt - 1)
        scene.run()
    assert now_of(session).status == "ended"
    require_consistent([])


def test_a_restore_ends_sessions_whose_audio_is_in_no_backup(scene: Scene) -> None:
    session = start()
    scene.run()
    assert turns.take(ME) is not None
    after_restore.finish(scene.database.url, LostHistory(), None, Actor("ida", "restore"))
    assert (now_of(session).status, focus_sessions.segments(now_of(session))) == ("ended", [])
    assert [row.segment_index for row in rows("focus_segments")] == [0], "what was made is paid, and nothing else"
    assert {row.spent_cents for row in rows("spend_windows")} == {session.segment_cents}
    ops_audio.clean(scene.store, 0, everything=True)
    assert scene.objects() == []


@pytest.fixture(params=databases.KINDS)
def studio(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Studio]:
    with databases.migrated(request.param, tmp_path) as url:
        made = Studio(url, tmp_path)
        yield made
        made.close()


def _made() -> int:
    return sum(row.made_at is not None for row in rows("focus_segments"))


@pytest.mark.slow
def test_killed_workers_make_each_segment_once(studio: Studio) -> None:
    """Workers are killed in the middle of a segment, again and again; the others make it, and nothing is paid twice."""
    with studio.database.use():
        session = start("second", segment_seconds=20)
    for _ in range(2):
        [process] = studio.start()
        studio.await_(focus_work.holders)
        studio.kill(process)
        with studio.database.use():
            assert _made() == 0
            assert [row.cost_cents for row in rows("focus_segments")] == [session.segment_cents]
    studio.start(2)
    studio.await_(lambda: now_of(session).next_index == session.total_segments)
    with studio.database.use():
        assert [row.segment_index for row in rows("focus_segments")] == [0, 1, 2]
        require_consistent(list(studio.objects()))


@pytest.mark.slow
def test_a_living_worker_takes_over_the_segment_of_a_dead_one(studio: Studio) -> None:
    with studio.database.use():
        session = start("second", segment_seconds=60)
        workers.beat("worker_dead")
        assert isinstance(turns.take("worker_dead"), SegmentWork)
    studio.start()
    studio.await_(lambda: now_of(session).next_index == 1)
    with studio.database.use():
        [segment] = focus_sessions.segments(session)
        assert (segment.duration_ms, segment.fade_ms) == (1000, 333), "a third of what the program made"
        require_consistent(list(studio.objects()))
