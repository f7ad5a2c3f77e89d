"""Melody from a motif: stated, answered, varied, brought to a rest at the end of a phrase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from studio.brief import Brief
from studio.composing.harmony import Chord
from studio.score import Note, Section
from studio.theory import nearest_of, pitch_at

PHRASE_BARS = 4
_MIDDLE = 74
_LOW, _HIGH = 62, 86
_LEGATO = 0.92


@dataclass(frozen=True, slots=True)
class Motif:
    """A bar of melody: (beat, length) of each note, its steps in scale degrees from the note before, and the pitch
    near which a section begins with it.
    """

    rhythm: tuple[tuple[float, float], ...]
    steps: tuple[int, ...]
    height: int


def motif(brief: Brief, random: Random) -> Motif:
    """A motif of three to seven notes; the more energy, the shorter they are."""
    rhythm = _rhythm(brief, random)
    steps = [0]
    for _ in rhythm[1:]:
        # After a leap the line turns back by step, as it does where people sing.
        leap = abs(steps[-1]) > 2
        steps.append(-_sign(steps[-1]) if leap else random.choice((-2, -1, -1, 1, 1, 2, 3, -3)))
    return Motif(tuple(rhythm), tuple(steps), _MIDDLE - 4 + random.choice((0, 2, 4)))


def _sign(step: int) -> int:
    return 1 if step > 0 else -1


def _rhythm(brief: Brief, random: Random) -> list[tuple[float, float]]:
    """The bar, halved at random; some notes become rests, never the first."""
    shortest = 0.5 if brief.energy > -0.4 and brief.tempo < 150 else 1.0
    chance = 0.62 + 0.25 * brief.energy
    parts = [(float(beat), 1.0) for beat in range(3)] if brief.beats_per_bar == 3 else [(0.0, 2.0), (2.0, 2.0)]
    found: list[tuple[float, float]] = []
    for beat, length in parts:
        found += _split(beat, length, shortest, chance, random)
    kept = [found[0], *(part for part in found[1:] if random.random() > 0.18)]
    return kept if len(kept) > 2 else found


def _split(beat: float, length: float, shortest: float, chance: float, random: Random) -> list[tuple[float, float]]:
    if length <= shortest or random.random() > chance:
        return [(beat, length)]
    if length == 2.0 and random.random() < 0.3:
        return [(beat, 1.5), (beat + 1.5, 0.5)] if shortest < 1 else [(beat, 1.0), (beat + 1.0, 1.0)]
    half = length / 2
    return _split(beat, half, shortest, chance, random) + _split(beat + half, half, shortest, chance, random)


def phrase_notes(
    brief: Brief, section: Section, chords: Sequence[Chord], idea: Motif, random: Random, variation: int
) -> list[Note]:
    """The melody of a section. `variation` 0 states the motif; each repeat of the section ornaments it more."""
    notes: list[Note] = []
    degree = _degree_near(brief, idea.height)
    for bar in range(section.bars):
        place, harmony = bar % PHRASE_BARS, chords[section.start_bar + bar]
        start = float((section.start_bar + bar) * brief.beats_per_bar)
        if place == PHRASE_BARS - 1 or bar == section.bars - 1:
            notes.append(_resting(brief, start, harmony, degree))
            continue
        bar_idea = _varied(idea, place, variation, random)
        written, degree = _bar(brief, start, harmony, bar_idea, degree)
        notes += written
        degree = _recentred(brief, degree)
    return notes


def ornamented(brief: Brief, notes: Sequence[Note], random: Random) -> list[Note]:
    """The notes, one of them divided: its second half is the next note of the scale, above or below."""
    moving = [note for note in notes if 0.9 < note.length <= 2.0]
    chosen = random.choice(moving) if moving else max(notes, key=lambda note: note.length)
    half, degree = chosen.length / 2, _degree_near(brief, chosen.pitch) + random.choice((-1, 1))
    pitch = _within(pitch_at(60 + brief.tonic, brief.scale, degree))
    turn = replace(chosen, start=chosen.start + half / _LEGATO, length=half, pitch=pitch)
    parts = [[replace(note, length=half), turn] if note is chosen else [note] for note in notes]
    return [note for part in parts for note in part]


def _varied(idea: Motif, place: int, variation: int, random: Random) -> Motif:
    """Bar 0 states, bar 1 answers with the motif, bar 2 turns it upside down or ornaments it."""
    steps = list(idea.steps)
    if place == 2 and variation % 2 == 0:
        steps = [-step for step in steps]
    for index in range(1, len(steps)):
        if random.random() < 0.12 * min(variation, 3):
            steps[index] += random.choice((-1, 1))
    rhythm = idea.rhythm if place != 2 or random.random() < 0.6 else idea.rhythm[: max(2, len(idea.rhythm) - 1)]
    return replace(idea, rhythm=rhythm, steps=tuple(steps[: len(rhythm)]))


def _bar(brief: Brief, start: float, harmony: Chord, idea: Motif, degree: int) -> tuple[list[Note], int]:
    """The notes of one bar; those on a strong beat belong to the chord."""
    notes = []
    for (beat, length), step in zip(idea.rhythm, idea.steps, strict=True):
        degree += step
        pitch = pitch_at(60 + brief.tonic, brief.scale, degree)
        if beat in (0.0, 2.0):
            pitch = nearest_of(harmony.classes[:3], pitch)
            degree = _degree_near(brief, pitch)
        accent = 0.1 if beat == 0 else 0.0
        notes.append(Note(start + beat, length * _LEGATO, _within(pitch), 0.62 + accent + 0.12 * brief.energy))
    return notes, degree


def _resting(brief: Brief, start: float, harmony: Chord, degree: int) -> Note:
    """One long note of the chord: the phrase breathes."""
    pitch = nearest_of(harmony.classes[:3], pitch_at(60 + brief.tonic, brief.scale, degree))
    return Note(start, brief.beats_per_bar * 0.75, _within(pitch), 0.6)


def _degree_near(brief: Brief, pitch: int) -> int:
    return min(range(-7, 22), key=lambda degree: abs(pitch_at(60 + brief.tonic, brief.scale, degree) - pitch))


def _recentred(brief: Brief, degree: int) -> int:
    """A line that has climbed or sunk too far goes on an octave away."""
    pitch = pitch_at(60 + brief.tonic, brief.scale, degree)
    return degree - 7 if pitch > _HIGH - 3 else degree + 7 if pitch < _LOW + 3 else degree


def _within(pitch: int) -> int:
    while pitch > _HIGH:
        pitch -= 12
    while pitch < _LOW:
        pitch += 12
    return pitch
