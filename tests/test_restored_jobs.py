"""Jobs after a restore: none hangs, none is made twice, and what was lost with the history costs nothing."""

from pathlib import Path

import pytest
from sqlalchemy import update

from models import generation_work, workers
from models.audio_store import AudioStore
from models.db import connection
from models.db.database import Database
from models.generation_tables import generations
from models.generation_work import Lost, Work
from models.keys import Actor
from ops import audio, backup
from ops import restore as restoring
from tools.testing import databases, jobs
from tools.testing.cli_runner import Shell
from tools.testing.jobs import ask, row
from worker.jobs import Runner
from worker.policy import Policy

IDA = Actor("ida", "restore")
ME = "worker_me"


def runner(folder: Path) -> Runner:
    spool = folder / "spool"
    spool.mkdir(exist_ok=True)
    return Runner(AudioStore((folder / "audio").as_uri()), Policy, {}, spool, lambda: False, lambda _seconds: None)


def take() -> Work:
    work = jobs.take(ME)
    assert work is not None
    return work


def objects(folder: Path) -> list[str]:
    return [found.name for found in AudioStore((folder / "audio").as_uri()).list()]


def test_a_restore_of_the_database_leaves_no_job_hanging(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with databases.migrated("sqlite", tmp_path) as url:
        with Database(url, pool_size=2):
            made, at_work, waiting = (ask("ida", cents_per_minute=60, title=name) for name in ("made", "work", "wait"))
            runner(tmp_path).run(take())
            workers.beat(ME)
            assert take().id == at_work.id
            connection.execute(update(generations).where(generations.c.id == at_work.id).values(attempt=3))
        backup.save(url, copy, lambda _done, _total: None)
        with Database(url, pool_size=2):
            lost = ask("ida", cents_per_minute=60, idempotency_key="once")
            held = Work(**{name: getattr(row(at_work), name) for name in Work._fields})
            runner(tmp_path).run(held)
            assert row(at_work).status == "succeeded"
        result = restoring.restore(copy, url, lambda _done, _total: None, IDA, force=True)
        assert result.requeued_jobs == 1
        with Database(url, pool_size=2):
            assert [(row(job).status, row(job).attempt) for job in (made, at_work, waiting)] == [
                ("succeeded", 1), ("queued", 2), ("queued", 0),
            ]  # fmt: skip
            named = [track.audio_name for track in jobs.rows("tracks")]
            orphans = sorted(set(objects(tmp_path)) - set(named))
            assert len(orphans) == 1, "the audio of the piece that was made after the backup"
            jobs.require_consistent(named)
            with pytest.raises(Lost):
                generation_work.require_held(held)
            assert lost.id not in {job.id for job in jobs.rows("generations")}
            assert ask("ida", cents_per_minute=60, idempotency_key="once").id != lost.id
            for _ in range(3):
                runner(tmp_path).run(take())
            assert jobs.statuses() == {"succeeded": 4}
            jobs.require_consistent([name for name in objects(tmp_path) if name not in orphans])
            cleaned = audio.clean(AudioStore((tmp_path / "audio").as_uri()), -1)
            assert cleaned.deleted == 1
            jobs.require_consistent(objects(tmp_path))


def test_after_restore_gives_jobs_back(shell: Shell) -> None:
    """As after pg_restore."""
    shell.text("migrate")
    with Database(shell.url, pool_size=2):
        job, other = ask("ida"), ask("ida")
        held = take()
        assert held.id == job.id
    assert shell.json("after-restore")["requeued_jobs"] == 1
    assert "jobs that were at work" not in shell.run("after-restore").stderr
    with Database(shell.url, pool_size=2):
        assert [(row(one).status, row(one).attempt, row(one).worker_id) for one in (job, other)] == [
            ("queued", 0, None)
        ] * 2
        with pytest.raises(Lost):
            generation_work.report_progress(held, 5)
        jobs.require_consistent([])
