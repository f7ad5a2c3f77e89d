"""Accompaniment: what bass, keys, plucked strings and pads play under a melody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from studio.brief import Brief
from studio.composing.harmony import Chord
from studio.score import Note
from studio.theory import nearest

Pattern = Callable[[float, Chord, Chord, int, Random], list[Note]]
_BASS = 40


def held(start: float, chord: Chord, following: Chord, beats: int, random: Random) -> list[Note]:
    """The chord, held for the bar; notes that the next chord has too are tied by their length."""
    del random
    return [Note(start, beats + (0.3 if pitch in following.pitches else 0.0), pitch, 0.5) for pitch in chord.pitches]


def blocks(start: float, chord: Chord, following: Chord, beats: int, random: Random) -> list[Note]:
    """The chord struck on the first beat, and softer once more."""
    del following
    again = random.choice((1.5, 2.0, 2.5)) if beats == 4 else 2.0
    return [
        Note(start + beat, length, pitch, velocity)
        for beat, length, velocity in ((0.0, again * 0.95, 0.55), (again, beats - again, 0.42))
        for pitch in chord.pitches
    ]


def arpeggio(start: float, chord: Chord, following: Chord, beats: int, random: Random) -> list[Note]:
    """The chord broken into eighths, up and down."""
    del following, random
    order = [*chord.pitches, *reversed(chord.pitches[1:-1])]
    return [
        Note(start + step / 2, 1.0, order[step % len(order)], 0.5 if step % 2 == 0 else 0.4)
        for step in range(beats * 2)
    ]


def broken(start: float, chord: Chord, following: Chord, beats: int, random: Random) -> list[Note]:
    """The chord broken in quarters with an upper octave, as a harp or a slow piano plays it."""
    del following
    notes = [Note(start + beat, 1.6, chord.pitches[beat % len(chord.pitches)], 0.46) for beat in range(beats)]
    if random.random() < 0.5:
        notes.append(Note(start + beats - 0.5, 1.0, chord.pitches[-1] + 12, 0.34))
    return notes


def bass_root(start: float, chord: Chord, following: Chord, beats: int, random: Random) -> list[Note]:
    """The root, and now and then the fifth before the bar ends."""
    del following
    root, fifth = nearest(chord.classes[0], _BASS), nearest(chord.classes[2], _BASS + 3)
    if random.random() < 0.35:
        return [Note(start, beats - 1.05, root, 0.7), Note(start + beats - 1, 0.95, fifth, 0.55)]
    return [Note(start, beats * 0.96, root, 0.7)]


def bass_pulse(start: float, chord: Chord, following: Chord, beats: int, random: Random) -> list[Note]:
    """Roots in the rhythm of the drums, with a step towards the next root."""
    root = nearest(chord.classes[0], _BASS)
    target = nearest(following.classes[0], root)
    notes = [Note(start, 1.4, root, 0.74), Note(start + 1.5, 0.45, root, 0.58), Note(start + 2, 1.0, root, 0.66)]
    if beats == 3:
        return [notes[0], Note(start + 2, 0.9, root, 0.55)]
    approach = nearest(chord.classes[random.choice((1, 2))], target)
    return [*notes, Note(start + 3.5, 0.45, approach, 0.55)]


def bass_walk(start: float, chord: Chord, following: Chord, beats: int, random: Random) -> list[Note]:
    """A walking bass: a chord note on every beat, the last nearest to the next root."""
    target, line = nearest(following.classes[0], _BASS), [nearest(chord.classes[0], _BASS)]
    for _ in range(beats - 2):
        line.append(nearest(random.choice(chord.classes[1:]), line[-1]))
    line.append(min((nearest(each, target) for each in chord.classes[1:]), key=lambda pitch: abs(pitch - target)))
    return [Note(start + beat, 0.92, pitch, 0.62) for beat, pitch in enumerate(line)]


def comp_pattern(instrument: str, brief: Brief, random: Random) -> Pattern:
    """How an instrument accompanies."""
    if instrument in ("pad", "strings"):
        return held
    if instrument in ("pluck", "harp", "bell"):
        return arpeggio if brief.energy > -0.3 and brief.tempo < 140 else broken
    if brief.swing or brief.drums in ("lofi", "house", "rock"):
        return blocks
    return random.choice((arpeggio, broken, blocks)) if brief.energy > -0.2 else broken


def bass_pattern(brief: Brief) -> Pattern:
    """How the bass plays."""
    if brief.drums == "swing":
        return bass_walk
    return bass_pulse if brief.drums and brief.energy > -0.3 else bass_root


def play(
    pattern: Pattern, brief: Brief, start_bar: int, bars: int, chords: Sequence[Chord], random: Random
) -> list[Note]:
    """The notes of a pattern for some bars."""
    notes: list[Note] = []
    for bar in range(start_bar, start_bar + bars):
        start = float(bar * brief.beats_per_bar)
        notes += pattern(start, chords[bar], chords[bar + 1], brief.beats_per_bar, random)
    return notes
