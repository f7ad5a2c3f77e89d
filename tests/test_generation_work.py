"""The worker's side of the jobs: who is next, who may write, and what a job leaves behind, on both databases."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from models import generation_work, generations, tracks, turns, workers
from models import generation_work as work_module
from models.base import now
from models.db.database import Database
from models.generation_work import DIED, Lost, Work
from tools.testing import databases, jobs
from tools.testing.jobs import HOME, ask, caller, row, rows

ME, OTHER = "worker_me", "worker_other"


@pytest.fixture(params=databases.KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with databases.migrated(request.param, tmp_path) as url, Database(url, pool_size=10) as opened:
        yield opened


def take(worker: str = ME) -> Work:
    work = jobs.take(worker)
    assert work is not None
    return work


def succeed(work: Work) -> str:
    """Ends the job with a track; returns the track's id."""
    made = []

    def add() -> str:
        track = tracks.add(work.organization_id, work.user_id, title=None, engine=work.engine)
        assert track is not None
        made.append(track.id)
        return track.id

    generation_work.succeed(work, add)
    return made[-1]


def test_a_job_is_taken_reported_and_ended(database: Database) -> None:
    job = ask("ida", title="Rain", style_tags=("calm", "piano"), cents_per_minute=600, seconds=10)
    work = take()
    assert (work.id, work.attempt, work.worker_id, work.tags, work.title) == (job.id, 1, ME, ["calm", "piano"], "Rain")
    assert jobs.take(ME) is None
    for share, progress in ((10, 10), (40, 40), (20, 40), (99, 99)):
        generation_work.report_progress(work, share)
        assert row(job).progress == progress
    track = succeed(work)
    ended = row(job)
    assert (ended.status, ended.progress, ended.result_track_id) == ("succeeded", 100, track)
    assert ended.finished_at >= ended.started_at >= ended.created_at
    assert generation_work.has_made(work, track)
    assert not generation_work.has_made(work, "mtrack_000000000000")
    assert {one.spent_cents for one in rows("spend_windows")} == {100}
    assert [one.job_count for one in rows("active_jobs")] == [0]


def test_what_fails_or_is_refused_costs_nothing_and_has_no_track(database: Database) -> None:
    failed, refused = ask("ida", cents_per_minute=600), ask("ida", cents_per_minute=600)
    generation_work.fail(take(), "The engine failed.")
    generation_work.refuse(take(), "No.")
    assert (row(failed).status, row(failed).error_message) == ("failed", "The engine failed.")
    assert (row(refused).status, row(refused).refusal_reason) == ("refused", "No.")
    assert {one.spent_cents for one in rows("spend_windows")} == {0}
    assert [one.job_count for one in rows("active_jobs")] == [0]
    jobs.require_consistent([])


@pytest.mark.parametrize("end", ["cancelled", "taken over", "given back", "failed"])
def test_nothing_is_written_for_a_job_that_is_lost(database: Database, end: str) -> None:
    job = ask("ida", cents_per_minute=600)
    work = take()
    if end == "cancelled":
        generations.cancel(caller("ida"), HOME, job.id)
    elif end == "taken over":
        turns.take_over(ME)
        assert take(OTHER).attempt == 2
    elif end == "given back":
        generation_work.give_back(work)
        assert take(OTHER).attempt == 1
    else:
        generation_work.fail(work, "The engine failed.")
    before = (row(job), rows("spend_windows"), rows("active_jobs"))
    for write in (
        lambda: generation_work.require_held(work),
        lambda: generation_work.report_progress(work, 77),
        lambda: succeed(work),
        lambda: generation_work.fail(work, "x"),
        lambda: generation_work.refuse(work, "x"),
        lambda: generation_work.retry(work, "x"),
        lambda: generation_work.give_back(work),
    ):
        with pytest.raises(Lost):
            write()
    assert (row(job), rows("spend_windows"), rows("active_jobs")) == before
    assert rows("tracks") == []


def test_callers_take_turns(database: Database) -> None:
    """One with ten jobs does not hold up one with one."""
    for _ in range(5):
        ask("ann")
    for user in ("bob", "cid", "bob", "dan"):
        ask(user)
    with jobs.taking_turns(database) as order:
        pass
    assert order == ["ann", "bob", "cid", "dan", "ann", "bob", "ann", "ann", "ann"]


def test_callers_of_other_organizations_take_turns_too(database: Database) -> None:
    for organization in ("org_one", "org_two"):
        for _ in range(2):
            ask("ann", organization_id=organization)
    assert [take().organization_id for _ in range(4)] == ["org_one", "org_two", "org_one", "org_two"]


def test_a_turn_in_the_future_does_not_hold_up_its_caller(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock was a day ahead when Ann had her turn, and was set back."""
    ask("ann")
    with monkeypatch.context() as ahead:
        ahead.setattr(work_module, "now", lambda: now() + timedelta(days=1))
        take()
    for user in ("bob", "bob", "ann", "bob"):
        ask(user)
    with jobs.taking_turns(database) as order:
        pass
    assert order[:2].count("ann") == 1


def test_a_job_that_is_given_back_is_next_and_no_death(database: Database) -> None:
    first = ask("ann")
    ask("bob")
    for _ in range(5):
        work = take()
        assert (work.id, work.attempt) == (first.id, 1)
        generation_work.report_progress(work, 30)
        generation_work.give_back(work)
        assert (row(first).status, row(first).worker_id, row(first).progress) == ("queued", None, 30)


def test_three_deaths_end_a_job(database: Database) -> None:
    job = ask("ann", cents_per_minute=600)
    for attempt in (1, 2, 3):
        assert take(f"worker_{attempt}").attempt == attempt
        assert generation_work.holders() == {f"worker_{attempt}"}
        assert [work.id for work in turns.take_over(f"worker_{attempt}")] == [job.id]
    assert (row(job).status, row(job).error_message) == ("failed", DIED)
    assert generation_work.holders() == set()
    jobs.require_consistent([])


def test_a_takeover_happens_once(database: Database) -> None:
    ask("ann")
    take("worker_dead")
    found: list[int] = []

    def take_over() -> None:
        with database.use():
            turns.take_over("worker_dead")
            work = jobs.take(f"worker_{threading.get_ident()}")
            if work is not None:
                found.append(work.attempt)

    threads = [threading.Thread(target=take_over) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2]


def test_workers_at_once_take_each_job_once(database: Database) -> None:
    expected = {ask(f"user_{number % 5}").id for number in range(40)}
    taken: list[str] = []

    def work(name: str) -> None:
        with database.use():
            while (found := jobs.take(name)) is not None:
                taken.append(found.id)
                succeed(found)

    threads = [threading.Thread(target=work, args=(f"worker_{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(taken) == Counter(expected)
    assert jobs.statuses() == {"succeeded": 40}


def test_a_cancelled_job_is_not_taken(database: Database) -> None:
    job = ask("ann")
    generations.cancel(caller("ann"), HOME, job.id)
    assert jobs.take(ME) is None


def test_heartbeats_are_kept_and_removed(database: Database) -> None:
    assert workers.heartbeat(ME) is None
    workers.beat(ME)
    first = workers.heartbeat(ME)
    workers.beat(ME)
    second = workers.heartbeat(ME)
    assert first is not None
    assert second is not None
    assert second > first
    assert len(rows("workers")) == 1
    workers.remove(ME)
    assert rows("workers") == []


def test_tags_are_a_list(database: Database) -> None:
    ask("ann", style_tags=("Ö", '"'))
    work = take()
    assert work.tags == ["Ö", '"'] == json.loads(work.style_tags)
