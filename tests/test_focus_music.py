"""The joins of focus segments: loudness and beat, as a player hears them; each check rejects a planted fault."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from studio import focus
from studio.composing import draws
from studio.engines.computed import ENGINES
from studio.focus import Wish
from studio.targets import TARGET_LUFS
from studio.theory import pitch_classes
from tools.music import joins
from tools.music.joins import GOALS, MOST_LU, SECONDS, Heard
from tools.testing import music_analysis as analysis
from tools.testing.music_analysis import RATE, Signal

COUNT = 3
MOST_PHASE_SECONDS = 0.010
EDGES = (6, 11)
# Engine, goal, intensity, and words of one's own.
SESSIONS = (
    ("studio", "focus", "medium", ""),
    ("studio", "relax", "low", ""),
    ("studio", "energize", "high", ""),
    ("studio", "custom_prompt", "medium", "lofi beats, harp, 71 bpm, in D minor"),
    ("drift", "focus", "low", ""),
    ("drift", "sleep", "medium", ""),
)
WITH_PULSE = (SESSIONS[0], SESSIONS[2], SESSIONS[3])
each_session = pytest.mark.parametrize("session", SESSIONS, ids=lambda session: "-".join(session[:3]))
slow = pytest.mark.slow


def wish(engine: str, goal: str, intensity: str, prompt: str = "", seconds: float = SECONDS, seed: int = 11) -> Wish:
    return Wish(goal, prompt, intensity, engine, seconds, seed)


@cache
def heard(session: tuple[str, str, str, str]) -> Heard:
    """Made once for each run."""
    return joins.heard(wish(*session), COUNT)


def jumps(pieces: Sequence[Signal], fade: float) -> list[float]:
    return analysis.join_jumps(*analysis.crossfaded(pieces, fade), fade)


def phase_errors(found: Heard, pieces: Sequence[Signal], fade: float) -> list[float]:
    return analysis.beat_errors(*analysis.crossfaded(pieces, fade), fade, found.scores[0].tempo)


@slow
@each_session
def test_a_join_is_as_loud_as_its_neighbours(session: tuple[str, str, str, str]) -> None:
    found = heard(session)
    for piece in found.pieces:
        assert abs(analysis.loudness(piece) - TARGET_LUFS["focus"]) < 0.5
        assert abs(len(piece) / RATE - SECONDS) < 0.1
        assert analysis.true_peak(piece) <= -1.0
    assert max(map(abs, jumps(found.pieces, found.fade))) <= MOST_LU
    assert max(map(abs, analysis.steps(*found.joined(), found.fade))) <= MOST_LU


@slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", EDGES)
def test_joins_are_level_whatever_the_first_bars_sound_like(engine: str, seed: int) -> None:
    """Sessions whose segments begin so softly, or differ so much at their ends, that small gains do not level them."""
    assert [figure for figure in joins.figures(engine, [seed], 4) if not figure.kept] == []


@slow
def test_a_segment_with_loud_edges_is_as_loud_as_the_others() -> None:
    goal, intensity = GOALS[(9 + 2) % len(GOALS)]
    [piece] = joins.heard(wish("drift", goal, intensity, seed=9), 1, first=5).pieces
    assert abs(analysis.loudness(piece) - TARGET_LUFS["focus"]) < 0.5


@slow
def test_a_jump_in_loudness_would_be_heard() -> None:
    found = heard(SESSIONS[0])
    first, second, third = found.pieces
    quiet = second.copy()
    quiet[: round(found.fade * RATE)] *= 0.4
    assert max(map(abs, jumps([first, quiet, third], found.fade))) > MOST_LU


@slow
@pytest.mark.parametrize("session", WITH_PULSE, ids=lambda session: "-".join(session[:3]))
def test_the_beat_goes_on_over_a_join(session: tuple[str, str, str, str]) -> None:
    found = heard(session)
    assert all(score.has_pulse for score in found.scores)
    assert max(phase_errors(found, found.pieces, found.fade)) < MOST_PHASE_SECONDS


@slow
def test_a_broken_beat_would_be_heard() -> None:
    found = heard(SESSIONS[0])
    first, second, third = found.pieces
    late = np.concatenate([np.zeros((round(0.03 * RATE), 2)), second])
    assert max(phase_errors(found, [first, late, third], found.fade)) > MOST_PHASE_SECONDS
    assert max(phase_errors(found, found.pieces, found.fade - 0.05)) > MOST_PHASE_SECONDS


@slow
@each_session
def test_segments_share_key_tempo_and_instruments(session: tuple[str, str, str, str]) -> None:
    found = heard(session)
    first = found.scores[0]
    classes = pitch_classes(first.tonic, first.scale)
    for score, piece in zip(found.scores, found.pieces, strict=True):
        assert (score.tempo, score.beats_per_bar, score.tonic, score.scale) == (
            first.tempo, first.beats_per_bar, first.tonic, first.scale,
        )  # fmt: skip
        assert [voice.instrument for voice in score.voices] == [voice.instrument for voice in first.voices]
        assert analysis.share_in_scale(piece, classes) >= 0.9


@pytest.mark.parametrize("engine", ENGINES)
def test_segments_differ_by_divergence(engine: str) -> None:
    """The share of voices that play other notes than in the first segment, over many segments."""
    wanted = wish(engine, "focus", "medium")
    brief = focus.session_brief(wanted)

    def notes(index: int, divergence: float) -> list[list[tuple[float, int]]]:
        score = ENGINES[engine].compose(brief, draws.of_segment(wanted.seed, index, divergence))
        return [[(round(note.start, 1), note.pitch) for note in voice.notes] for voice in score.voices]

    def differing(divergence: float) -> float:
        first = notes(0, divergence)
        others = [notes(index, divergence) for index in range(1, 9)]
        return float(np.mean([one != other for voices in others for one, other in zip(first, voices, strict=True)]))

    assert differing(0.0) < differing(0.5) < differing(1.0)
    assert notes(3, 0.7) == notes(3, 0.7)
    for divergence in (0.0, 0.5, 1.0):
        assert notes(0, divergence) == notes(0, 0.0), "the first segment is the idea itself"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("goal", "intensity"), GOALS)
def test_a_segment_begins_whole_bars_after_the_one_before(engine: str, goal: str, intensity: str) -> None:
    brief = focus.session_brief(wish(engine, goal, intensity, seconds=120))
    bar = brief.beats_per_bar * 60 / brief.tempo
    assert 3 <= brief.fade_seconds < 3 + bar
    assert brief.fade_seconds * 1000 == pytest.approx(round(brief.fade_seconds * 1000)), "whole milliseconds"
    bars = (120 - brief.fade_seconds) / bar
    assert bars == pytest.approx(round(bars))
    score = ENGINES[engine].compose(brief)
    assert score.tempo == brief.tempo
    [first, *_, last] = score.chords
    assert {pitch % 12 for pitch in first[1]} == {pitch % 12 for pitch in last[1]}


@pytest.mark.parametrize("prompt", ["72 bpm", "3/4, 71 bpm", "harp, 200 bpm", "40 bpm", "dawn", "☃"])
@pytest.mark.parametrize("seconds", [6, 24, 120])
def test_any_prompt_and_length_give_a_beat_that_goes_on(prompt: str, seconds: float) -> None:
    brief = focus.session_brief(wish("studio", "custom_prompt", "low", prompt, seconds))
    bar = brief.beats_per_bar * 60 / brief.tempo
    bars = (seconds - brief.fade_seconds) / bar
    assert 0 < brief.fade_seconds <= seconds / 3 + bar
    assert bars == pytest.approx(round(bars), abs=1e-6)


def test_sessions_of_one_goal_are_not_alike() -> None:
    found = {
        (brief.tonic, brief.scale, brief.instruments)
        for seed in range(30)
        for brief in [focus.session_brief(wish("studio", "focus", "medium", seed=seed))]
    }
    assert len(found) > 20
