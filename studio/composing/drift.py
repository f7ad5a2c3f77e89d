"""The score of the engine `drift`: slow chords that overlap, a low fifth, and single notes far apart. No drums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from studio.brief import Brief
from studio.composing import form, harmony
from studio.composing.arrangement import score_of, voice
from studio.composing.draws import Draws, of_piece
from studio.composing.harmony import Chord
from studio.score import Note, Score, Section, Voice
from studio.theory import nearest, pitch_at

_PADS = ("pad", "strings")
_SPARKS = ("bell", "harp", "piano", "electric_piano", "flute")
_BARS_PER_CHORD = 2
# The degrees of the scale that sound well over every chord: the pentatonic ones.
_OPEN_DEGREES = {"major": (0, 1, 2, 4, 5), "lydian": (0, 1, 2, 4, 5), "mixolydian": (0, 1, 2, 4, 5)}
_DARK_DEGREES = (0, 2, 3, 4, 6)
# The velocity of a single note.
_TOUCH = (0.35, 0.6)


def compose(brief: Brief, draws: Draws | None = None) -> Score:
    """The score of a brief; one seed gives one score."""
    draws = draws or of_piece(brief.seed)
    slow = replace(brief, drums="", swing=0.0, energy=min(brief.energy, -0.35), tempo=slow_tempo(brief))
    bars = form.bar_count(slow)
    sections = form.sections(bars, brief.mode)
    chords = _slow_chords(slow, sections, draws("chords"))
    voices = [_pads(slow, chords, bars), _drone(slow, chords, bars), _sparks(slow, sections, draws("melody"))]
    return score_of(slow, sections, chords, [each for each in voices if each.notes])


def slow_tempo(brief: Brief) -> float:
    """Half the tempo of what would be hasty; still a whole number of beats of the asked tempo."""
    return brief.tempo / 2 if brief.tempo > 90 else brief.tempo


def _slow_chords(brief: Brief, sections: Sequence[Section], random: Random) -> list[Chord]:
    """A new chord every second bar of a section."""
    chords = harmony.plan(brief, tuple(sections), random)
    slowed = [
        chords[section.start_bar + bar // _BARS_PER_CHORD * _BARS_PER_CHORD]
        for section in sections
        for bar in range(section.bars)
    ]
    return [*slowed, chords[-1]]


def _spans(chords: Sequence[Chord], bars: int) -> list[tuple[int, int]]:
    """(first bar, bars) of each stretch of one chord; the last chord follows after the last bar."""
    starts = [0, *(bar for bar in range(1, bars) if chords[bar] is not chords[bar - 1])]
    return [(start, following - start) for start, following in zip(starts, [*starts[1:], bars], strict=True)]


def _pads(brief: Brief, chords: Sequence[Chord], bars: int) -> Voice:
    """Each chord is held into the next one, so that they melt."""
    instrument = next((name for name in brief.instruments if name in _PADS), "pad")
    beats, notes = brief.beats_per_bar, []
    for first, length in _spans(chords, bars):
        start = float(first * beats)
        notes += [Note(start, length * beats + 1.5, pitch, 0.5) for pitch in chords[first].pitches]
    if brief.mode == "creation":
        notes += [Note(float(bars * beats), _rest(brief, bars), pitch, 0.5) for pitch in chords[-1].pitches]
    return voice("harmony", instrument, notes, 1.1)


def _rest(brief: Brief, bars: int) -> float:
    """The beats from the last bar line to the end."""
    return max(1.0, brief.seconds * brief.tempo / 60 - bars * brief.beats_per_bar)


def _drone(brief: Brief, chords: Sequence[Chord], bars: int) -> Voice:
    """The root of each chord, low and soft."""
    notes = []
    for first, length in _spans(chords, bars):
        root = nearest(chords[first].classes[0], 41)
        notes.append(Note(float(first * brief.beats_per_bar), length * brief.beats_per_bar + 1.0, root, 0.45))
    if brief.mode == "creation":
        notes.append(
            Note(float(bars * brief.beats_per_bar), _rest(brief, bars), nearest(chords[-1].classes[0], 41), 0.45)
        )
    return voice("bass", "pad", notes, 1.2)


def _sparks(brief: Brief, sections: Sequence[Section], random: Random) -> Voice:
    """Single notes of a pentatonic scale, far apart; a section that comes back has those it had, but for one."""
    instrument = next((name for name in brief.instruments if name in _SPARKS), "bell")
    notes: list[Note] = []
    place = random.randrange(len(_degrees(brief)))
    heard: dict[str, tuple[Section, list[Note]]] = {}
    for section in sections:
        if section.letter in heard:
            notes += _again(brief, *heard[section.letter], section, random)
            continue
        made, place = _new(brief, section, place, random)
        heard[section.letter] = section, made
        notes += made
    return voice("melody", instrument, notes, 0.9)


def _degrees(brief: Brief) -> tuple[int, ...]:
    return _OPEN_DEGREES.get(brief.scale, _DARK_DEGREES)


def _new(brief: Brief, section: Section, place: int, random: Random) -> tuple[list[Note], int]:
    """The notes of a section, one at least, and the place in the scale where they end; more energy, more notes."""
    degrees, notes = _degrees(brief), []
    bars, chance = _bars(section), 0.35 + 0.45 * section.energy
    for bar in [bar for bar in bars if random.random() <= chance] or [random.choice(bars)]:
        place = max(0, min(2 * len(degrees) - 1, place + random.choice((-2, -1, 1, 2))))
        octave, step = divmod(place, len(degrees))
        pitch = pitch_at(60 + brief.tonic, brief.scale, degrees[step] + 7 * octave)
        notes.append(_spark(brief, bar, pitch if pitch < 84 else pitch - 12, random))
    return notes, place


def _bars(section: Section) -> range:
    return range(section.start_bar, section.start_bar + section.bars)


def _again(brief: Brief, first: Section, notes: Sequence[Note], section: Section, random: Random) -> list[Note]:
    """The notes of a section where it comes back, louder or softer each, and one of them again in a bar without any.

    Where every bar has one, one is left out.
    """
    later = (section.start_bar - first.start_bar) * brief.beats_per_bar
    kept = [replace(note, start=note.start + later, velocity=random.uniform(*_TOUCH)) for note in notes]
    sounding = {int(note.start // brief.beats_per_bar) for note in kept}
    silent = [bar for bar in _bars(section) if bar not in sounding]
    one = random.choice(kept)
    if silent:
        return sorted([*kept, _spark(brief, random.choice(silent), one.pitch, random)], key=lambda note: note.start)
    return [note for note in kept if note is not one]


def _spark(brief: Brief, bar: int, pitch: int, random: Random) -> Note:
    start = bar * brief.beats_per_bar + random.choice((0.0, 1.0, 1.5, 2.0))
    return Note(start, 2.5, pitch, random.uniform(*_TOUCH))
