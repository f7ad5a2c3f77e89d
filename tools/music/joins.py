"""The joins of focus sessions: segments as they come out of their files, and the worst figure of many sessions."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import soundfile

from studio import focus, production
from studio.brief import Brief
from studio.composing import draws
from studio.engines.computed import ENGINES
from studio.focus import INTENSITIES, Wish
from studio.score import Score
from studio.targets import TARGET_LUFS
from tools.endurance.report import Figure, at_most
from tools.testing import music_analysis as analysis
from tools.testing.music_analysis import Signal

SECONDS, JOINS, SEEDS, DIVERGENCE = 30.0, 10, range(2, 12), 0.4
MOST_LU, MOST_WHOLE_LU, MOST_DBTP = 1.0, 0.5, -1.0
GOALS = [(goal, intensity) for goal in ("focus", "relax", "sleep", "energize") for intensity in INTENSITIES]


class Heard(NamedTuple):
    """Segments of a session in order."""

    brief: Brief
    scores: Sequence[Score]
    pieces: Sequence[Signal]

    @property
    def fade(self) -> float:
        """What the player is told: whole milliseconds."""
        return round(self.brief.fade_seconds * 1000) / 1000

    def joined(self) -> tuple[Signal, list[int]]:
        """What is played, and the sample at which each join begins."""
        return analysis.crossfaded(self.pieces, self.fade)


def heard(wish: Wish, count: int, first: int = 0) -> Heard:
    """So many segments of a session, made as FLAC, from the one with the number `first`."""
    brief, engine = focus.session_brief(wish), ENGINES[wish.engine]
    scores, pieces = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "segment.flac")
        for index in range(first, first + count):
            own = draws.of_segment(wish.seed, index, DIVERGENCE)
            before = draws.of_segment(wish.seed, index - 1, DIVERGENCE) if index else None
            scores.append(production.produce(engine, brief, path, lambda _share: None, None, own, before).score)
            pieces.append(soundfile.read(path)[0])
    return Heard(brief, scores, pieces)


def figures(engine: str, seeds: Sequence[int] = SEEDS, count: int = JOINS) -> Iterator[Figure]:
    """The worst figures of so many joins of the sessions with these seeds, each of another goal."""
    found = [_measured(engine, seed, count) for seed in seeds]
    yield at_most("loudness of a segment from -18 LUFS", engine, max(one.whole for one in found), MOST_WHOLE_LU, " LU")
    yield at_most("true peak", engine, max(one.peak for one in found), MOST_DBTP, " dBTP")
    yield at_most("loudness of neighbours", engine, max(one.neighbours for one in found), MOST_LU, " LU")
    yield at_most("loudness of a join", engine, max(one.jump for one in found), MOST_LU, " LU")


class _Measured(NamedTuple):
    """The worst figures of one session."""

    whole: float
    peak: float
    neighbours: float
    jump: float


def _measured(engine: str, seed: int, count: int = JOINS) -> _Measured:
    goal, intensity = GOALS[(seed + 2) % len(GOALS)]
    session = heard(Wish(goal, "", intensity, engine, SECONDS, seed), count + 1)
    played, joins = session.joined()
    return _Measured(
        whole=max(abs(analysis.loudness(piece) - TARGET_LUFS["focus"]) for piece in session.pieces),
        peak=max(map(analysis.true_peak, session.pieces)),
        neighbours=max(map(abs, analysis.steps(played, joins, session.fade))),
        jump=max(map(abs, analysis.join_jumps(played, joins, session.fade))),
    )
