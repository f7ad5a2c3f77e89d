"""Scales, chords and voice leading, in MIDI pitches and semitones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
}
NOTE_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


def pitch_at(tonic: int, scale: str, degree: int) -> int:
    """The pitch of a scale degree, counted from the tonic at 0; degrees may be negative or above 6."""
    octave, step = divmod(degree, 7)
    return tonic + 12 * octave + SCALES[scale][step]


def pitch_classes(tonic: int, scale: str) -> frozenset[int]:
    """The pitch classes (0 is C) of a key."""
    return frozenset((tonic + step) % 12 for step in SCALES[scale])


def chord(tonic: int, scale: str, degree: int, size: int = 3) -> tuple[int, ...]:
    """The pitch classes of a chord in thirds on a degree, the root first; size 4 is a seventh chord."""
    return tuple(pitch_at(tonic, scale, degree + 2 * third) % 12 for third in range(size))


def nearest(pitch_class: int, pitch: int) -> int:
    """The pitch of that class nearest to `pitch`; of two, the lower."""
    up = (pitch_class - pitch) % 12
    return pitch + up if up < 6 else pitch + up - 12


def nearest_of(classes: Sequence[int], pitch: int) -> int:
    """The pitch nearest to `pitch` whose class is one of `classes`."""
    return min((nearest(each, pitch) for each in classes), key=lambda found: (abs(found - pitch), found))


def voicing(classes: Sequence[int], previous: Sequence[int], low: int, high: int) -> tuple[int, ...]:
    """The pitches of a chord between `low` and `high` that move least from the previous voicing, lowest first.

    Without a previous voicing: close position around the middle of the range.
    """
    options = [[pitch for pitch in range(low, high + 1) if pitch % 12 == each] for each in classes]
    middle = (low + high) / 2

    def cost(pitches: tuple[int, ...]) -> float:
        spread = pitches[-1] - pitches[0]
        moved = sum(min(abs(pitch - old) for old in previous) for pitch in pitches) if previous else 0.0
        return moved + 0.3 * max(0, spread - 12) + 0.2 * abs(sum(pitches) / len(pitches) - middle) + _clusters(pitches)

    return min((tuple(sorted(pitches)) for pitches in product(*options)), key=cost)


def _clusters(pitches: Sequence[int]) -> float:
    """A penalty for doubled pitches and for seconds, which sound harsh when they are low."""
    gaps = [upper - lower for lower, upper in pairwise(pitches)]
    return sum(8.0 for gap in gaps if gap == 0) + sum(1.5 for gap in gaps if gap in (1, 2))
