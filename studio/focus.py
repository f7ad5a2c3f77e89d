"""Focus sessions: what the segments of one share, and how long they overlap.

All segments have one brief: key, tempo and instruments. They are as long as each other and begin on a beat, and the
overlap is such that the next one begins a whole number of bars after the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from studio import brief as briefs
from studio.brief import Brief
from studio.composing.drift import slow_tempo
from studio.engines.catalog import DRIFT

MIN_FADE_SECONDS = 3.0
INTENSITIES = {"low": 0, "medium": 1, "high": 2}
_ENERGY_STEP = 0.25


@dataclass(frozen=True, slots=True)
class Wish:
    """What a session is asked for; `custom_prompt` is empty unless the goal is `custom_prompt`."""

    goal: str
    custom_prompt: str
    intensity: str
    engine: str
    segment_seconds: float
    seed: int


class _Goal(NamedTuple):
    """What a goal means; tempo, energy and drums are for each intensity."""

    words: str
    tempos: tuple[float, float, float]
    energies: tuple[float, float, float]
    drums: tuple[str, str, str]
    valence: tuple[float, float]
    ensembles: tuple[tuple[str, ...], ...]


# With these tempos a bar is a whole number of milliseconds, and two minutes are a whole number of bars.
_GOALS = {
    "focus": _Goal(
        "steady music for concentration", (64, 80, 96), (-0.35, -0.1, 0.15), ("", "soft", "lofi"), (-0.2, 0.4),
        (("electric_piano", "pad", "bass"), ("pluck", "pad", "bass"), ("piano", "strings", "bass"), ("harp", "pad")),
    ),
    "relax": _Goal(
        "gentle music to relax", (50, 60, 64), (-0.7, -0.5, -0.35), ("", "", ""), (0.0, 0.6),
        (("piano", "strings"), ("harp", "strings", "flute"), ("electric_piano", "pad"), ("pluck", "pad")),
    ),
    "sleep": _Goal(
        "quiet music to fall asleep", (40, 48, 50), (-0.95, -0.85, -0.7), ("", "", ""), (-0.3, 0.5),
        (("pad", "strings"), ("pad", "bell"), ("piano", "pad")),
    ),
    "energize": _Goal(
        "bright, driving music", (96, 100, 120), (0.2, 0.4, 0.6), ("soft", "lofi", "house"), (0.2, 0.8),
        (("synth", "pad", "bass", "pluck"), ("electric_piano", "pluck", "bass", "pad")),
    ),
}  # fmt: skip
_BRIGHT = ("major", "lydian", "mixolydian")
_DARK = ("minor", "dorian")


def session_brief(wish: Wish) -> Brief:
    """The brief of every segment of a session."""
    brief = _of_prompt(wish) if wish.custom_prompt else _of_goal(wish)
    if wish.engine == DRIFT.key:
        brief = replace(brief, tempo=slow_tempo(brief))
    return replace(brief, fade_seconds=_fade_seconds(brief))


def words(wish: Wish) -> str:
    """What is asked for in words, for an engine that reads them."""
    return wish.custom_prompt or _GOALS[wish.goal].words


def _fade_seconds(brief: Brief) -> float:
    """The rest of a segment after as many whole bars as leave three seconds, or a third of a short segment."""
    bar = brief.beats_per_bar * 60 / brief.tempo
    shortest = min(MIN_FADE_SECONDS, brief.seconds / 3)
    return float(brief.seconds - bar * ((brief.seconds - shortest + 1e-6) // bar))


def _of_goal(wish: Wish) -> Brief:
    goal, random, level = _GOALS[wish.goal], Random(wish.seed), INTENSITIES[wish.intensity]
    valence = random.uniform(*goal.valence)
    return Brief(
        seconds=wish.segment_seconds,
        mode="focus",
        tempo=goal.tempos[level],
        beats_per_bar=4,
        tonic=random.randrange(12),
        scale=random.choice(_BRIGHT if valence > 0.1 else _DARK),
        valence=valence,
        energy=goal.energies[level],
        instruments=random.choice(goal.ensembles),
        drums=goal.drums[level],
        swing=0.0,
        seed=wish.seed,
    )


def _of_prompt(wish: Wish) -> Brief:
    """The prompt says what it says; the intensity moves the energy of what it leaves open."""
    brief = briefs.read(wish.custom_prompt, wish.segment_seconds, mode="focus", seed=wish.seed)
    shift = _ENERGY_STEP * (INTENSITIES[wish.intensity] - 1)
    return replace(brief, energy=max(-1.0, min(1.0, brief.energy + shift)), seed=wish.seed)
