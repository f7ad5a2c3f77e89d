"""The page that plays focus sessions, in Chromium: joins of what it decodes and mixes, and a session from its form."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.signal
import soundfile
from sqlalchemy import update

from models import focus_sessions, turns
from models.audio_store import AudioStore
from models.base import now
from models.db import connection
from models.focus_sessions import Session, Wish
from models.focus_tables import focus_sessions as table
from studio import focus
from tests.proofs.toolchains import BIN
from tools.testing import music_analysis as analysis
from tools.testing.callers import caller
from tools.testing.music_analysis import RATE, Signal
from tools.testing.played import Played, playing
from tools.testing.service import ALICE, HOME
from web.playback import Playback
from worker.jobs import Runner
from worker.policy import Policy

ME, SEGMENT_SECONDS, MINUTES, JOINS = "worker_me", 30, 6, 10
# Chromium begins a source within 128 samples, which may put a block of the meter on the other side of its gate.
MOST_LU, MOST_PHASE_SECONDS = 0.2, 0.010
ENGINES = ("studio", "drift")
LAG_SAMPLES = RATE // 20
SEED = 11


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with playing(tmp_path_factory.mktemp("focus")) as running:
        yield running


@pytest.fixture(scope="module")
def runner(played: Played, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    assert isinstance(played.application.playback, Playback)
    spool = tmp_path_factory.mktemp("spool")
    return Runner(played.application.playback.store, Policy, {}, spool, lambda: False, time.sleep)


class Heard(NamedTuple):
    """A session as the browser mixed it: `pieces` are its files, `starts` the samples at which each should begin."""

    samples: Signal
    pieces: list[Signal]
    starts: list[int]
    fade_seconds: float
    beat_seconds: float


class Seen(NamedTuple):
    page: dict[str, Any]
    sessions: dict[str, Heard]


@pytest.fixture(scope="module")
def seen(played: Played, runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What the browser reports, and what it mixed of a session of each engine."""
    folder = tmp_path_factory.mktemp("mixed")
    with played.database.use():
        sessions = {engine: _session(engine, runner) for engine in ENGINES}
        listed = json.dumps([session.id for session in sessions.values()])
        key = played.api.headers["X-API-Key"]
        command = [str(BIN / "node"), "focus_page.mjs", played.url, HOME, key, listed, str(folder)]
        page = _run(command, runner)
        heard = {engine: _heard(session, runner.store, folder) for engine, session in sessions.items()}
        return Seen(page, heard)


def _session(engine: str, runner: Runner) -> Session:
    """A session whose segments are all made: it began an hour ago, so they are due."""
    wish = Wish("focus", engine, None, "medium", 40, MINUTES, None, bytes(32), SEGMENT_SECONDS)
    started, _ = focus_sessions.start(caller(ALICE, HOME), HOME, wish, 0)
    connection.execute(update(table).where(table.c.id == started.id).values(created_at=now() - timedelta(hours=1)))
    for _ in range(JOINS + 1):
        _work(runner)
    return focus_sessions.end(caller(ALICE, HOME), HOME, started.id)


def _work(runner: Runner) -> bool:
    work = turns.take(ME)
    if work is not None:
        runner.run(work)
    return work is not None


def _run(command: Sequence[str], runner: Runner) -> dict[str, Any]:
    """The report of the browser, for which segments are made meanwhile."""
    with subprocess.Popen(
        command, cwd=Path(__file__).parent, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        while process.poll() is None:
            if not _work(runner):
                time.sleep(0.1)
        out, err = process.communicate()
    assert process.returncode == 0, err.decode()
    found: dict[str, Any] = json.loads(out)
    return found


def _heard(session: Session, store: AudioStore, folder: Path) -> Heard:
    samples = np.fromfile(folder / f"{session.id}.pcm", np.int16).reshape(-1, 2) / 32768
    wish = focus.Wish(session.goal, "", session.intensity, session.engine, session.segment_seconds, session.seed)
    made, pieces, starts, end = focus_sessions.segments(session), [], [], 0
    fade_ms = made[0].fade_ms
    for segment in made:
        path = store.path(segment.audio_name)
        assert path is not None
        pieces.append(soundfile.read(path)[0])
        starts.append(max(0, end - fade_ms) * RATE // 1000)
        end = max(0, end - fade_ms) + segment.duration_ms
    return Heard(samples, pieces, starts, fade_ms / 1000, 60 / focus.session_brief(wish).tempo)


def _lag(heard: Heard, index: int) -> float:
    """How much later than it should a segment is heard, in seconds, where it is heard alone."""
    alone = slice(round(heard.fade_seconds * RATE), round((SEGMENT_SECONDS - heard.fade_seconds) * RATE))
    piece = heard.pieces[index][alone].sum(axis=1)
    around = heard.samples[heard.starts[index] :][alone].sum(axis=1)
    found = scipy.signal.correlate(around, piece, "same", "fft")
    middle = len(found) // 2
    near = found[middle - LAG_SAMPLES : middle + LAG_SAMPLES]
    return float(np.argmax(near) - LAG_SAMPLES) / RATE


def _beat_errors(heard: Heard) -> list[float]:
    """How far the beats after each join lie from those before it, in seconds."""
    heard_at = [start / RATE + _lag(heard, index) for index, start in enumerate(heard.starts)]
    apart = [(after - before) % heard.beat_seconds for before, after in pairwise(heard_at)]
    return [min(rest, heard.beat_seconds - rest) for rest in apart]


@pytest.mark.parametrize("engine", ENGINES)
def test_ten_joins_in_a_row_are_as_loud_as_the_fades_say(seen: Seen, engine: str) -> None:
    """How loud a join is beside its neighbours depends on the music: tests/test_focus_music.py."""
    heard = seen.sessions[engine]
    assert len(heard.starts) == JOINS + 1
    here = analysis.join_jumps(heard.samples, heard.starts[1:], heard.fade_seconds)
    mixed, joins = analysis.crossfaded(heard.pieces, heard.fade_seconds)
    expected = analysis.join_jumps(mixed, joins, heard.fade_seconds)
    assert max(abs(one - other) for one, other in zip(here, expected, strict=True)) <= MOST_LU


@pytest.mark.parametrize("engine", ENGINES)
def test_the_beat_goes_on_over_ten_joins(seen: Seen, engine: str) -> None:
    assert max(_beat_errors(seen.sessions[engine])) < MOST_PHASE_SECONDS


def test_a_late_segment_would_be_noticed(seen: Seen) -> None:
    heard = seen.sessions["studio"]
    late = heard.starts[5]
    broken = np.concatenate([heard.samples[:late], np.zeros((round(0.02 * RATE), 2)), heard.samples[late:]])
    assert max(_beat_errors(heard._replace(samples=broken))) > MOST_PHASE_SECONDS


def test_the_form_starts_a_session_and_says_what_is_wrong(seen: Seen) -> None:
    wrong, plays = seen.page["said"]
    assert "valid API key" in wrong
    assert plays == "Segment 1 of 15."
    refused = [line for line in seen.page["complaints"] if "401" not in line]
    assert refused == []
