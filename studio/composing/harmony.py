"""Chord progressions by section, with cadences at the ends of phrases. Every chord is of the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from studio.brief import Brief
from studio.composing.form import joining_bars
from studio.score import Section
from studio.theory import chord, voicing

_BRIGHT = ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 5, 4), (0, 2, 3, 4), (5, 3, 0, 4), (0, 1, 3, 4), (3, 0, 4, 5))
_DARK = ((0, 5, 2, 6), (0, 3, 6, 2), (0, 5, 3, 4), (0, 6, 5, 6), (0, 2, 5, 3), (0, 3, 0, 6), (5, 6, 0, 0))
_DORIAN = ((0, 3, 0, 3), (0, 3, 6, 0), (0, 1, 3, 0), (0, 2, 3, 6))
_MODAL = ((0, 1, 0, 1), (0, 6, 3, 0), (0, 1, 3, 0), (0, 6, 0, 1))
_PROGRESSIONS = {
    "major": _BRIGHT, "minor": _DARK, "dorian": _DORIAN, "mixolydian": _MODAL, "lydian": _MODAL, "phrygian": _MODAL,
}  # fmt: skip
# The chord before a tonic: the dominant, or what stands for it where the fifth degree has no leading note.
_DOMINANTS = {"major": 4, "minor": 6, "dorian": 6, "mixolydian": 6, "lydian": 4, "phrygian": 1}
_LOW, _HIGH = 52, 72


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord of one bar: its degree, its pitch classes (root first) and its voicing (lowest first)."""

    degree: int
    classes: tuple[int, ...]
    pitches: tuple[int, ...]


def plan(brief: Brief, sections: tuple[Section, ...], random: Random) -> list[Chord]:
    """One chord for each bar, and one more: the last, on the tonic."""
    progressions = _progressions(brief, random)
    degrees: list[int] = []
    for section in sections:
        degrees += _degrees(progressions["A" if section.letter == "I" else section.letter], section.bars)
    if brief.mode == "creation" and len(degrees) >= 4:
        degrees[-1] = _DOMINANTS[brief.scale]
    joining = min(joining_bars(brief), len(degrees))
    if joining:  # what sounds together at a join is the tonic
        degrees[:joining] = degrees[-joining:] = [0] * joining
    return _voiced(brief, [*degrees, 0])


def _progressions(brief: Brief, random: Random) -> Mapping[str, tuple[int, ...]]:
    """A progression for each letter, all different."""
    drawn = random.sample(_PROGRESSIONS[brief.scale], 3)
    first = min(drawn, key=lambda degrees: degrees[0] != 0)  # a piece begins on its tonic
    others = [degrees for degrees in drawn if degrees is not first]
    return {"A": first, "B": others[0], "C": others[1]}


def _degrees(progression: tuple[int, ...], bars: int) -> list[int]:
    return [progression[bar % len(progression)] for bar in range(bars)]


def _voiced(brief: Brief, degrees: list[int]) -> list[Chord]:
    """Voice leading by small steps from chord to chord."""
    chords: list[Chord] = []
    size = 4 if brief.swing or brief.energy < -0.3 else 3
    for degree in degrees:
        classes = chord(brief.tonic, brief.scale, degree, size)
        previous = chords[-1].pitches if chords else ()
        chords.append(Chord(degree, classes, voicing(classes, previous, _LOW, _HIGH)))
    return chords
