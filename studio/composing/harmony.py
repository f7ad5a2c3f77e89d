"""Chord progressions by section, with cadences at the ends of phrases. Every chord is of the key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
Place = tuple[str, int]
"""The letter of a section, and a bar in it."""


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
    return _voiced(brief, [*degrees, 0], _places(sections))


def _progressions(brief: Brief, random: Random) -> Mapping[str, tuple[int, ...]]:
    """A progression for each letter; where one has a chord, the others have another in that bar, if they can."""
    drawn = random.sample(_PROGRESSIONS[brief.scale], 3)
    first = min(drawn, key=lambda degrees: degrees[0] != 0)  # a piece begins on its tonic
    found: list[tuple[int, ...]] = [first]
    for degrees in drawn:
        if degrees is not first:
            found.append(_contrasting(degrees, found))
    return dict(zip("ABC", found, strict=True))


def _contrasting(degrees: tuple[int, ...], others: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The progression, begun at the chord from which it meets the others least; if it can, it ends off the tonic."""
    begun = [degrees[start:] + degrees[:start] for start in range(len(degrees))]

    def meetings(turned: tuple[int, ...]) -> int:
        return sum(one == other for degrees in others for one, other in zip(turned, degrees, strict=True))

    return min(begun, key=lambda turned: (meetings(turned), turned[-1] == 0))


def _degrees(progression: tuple[int, ...], bars: int) -> list[int]:
    return [progression[bar % len(progression)] for bar in range(bars)]


def _places(sections: Sequence[Section]) -> list[Place]:
    """The place of each bar, and one for the last chord; an introduction is a part of A."""
    within = [("A" if each.letter == "I" else each.letter, bar) for each in sections for bar in range(each.bars)]
    return [*within, ("", 0)]


def _voiced(brief: Brief, degrees: Sequence[int], places: Sequence[Place]) -> list[Chord]:
    """Voice leading by small steps from chord to chord. A section that comes back has the voicings that it had."""
    chords: list[Chord] = []
    heard: dict[tuple[int, Place], tuple[int, ...]] = {}
    size = 4 if brief.swing or brief.energy < -0.3 else 3
    for degree, place in zip(degrees, places, strict=True):
        classes = chord(brief.tonic, brief.scale, degree, size)
        previous = chords[-1].pitches if chords else ()
        pitches = heard.get((degree, place)) or voicing(classes, previous, _LOW, _HIGH)
        heard[degree, place] = pitches
        chords.append(Chord(degree, classes, pitches))
    return chords
