"""Who plays what, and in which section: the score of the engine `studio`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from studio.brief import Brief
from studio.composing import accompaniment, drums, form, harmony, melody
from studio.composing.draws import PERFORMANCE, Draws, of_piece
from studio.composing.harmony import Chord
from studio.score import Note, Score, Section, Voice

Line = tuple[tuple[float, int], ...]
LEADS = ("flute", "bell", "synth", "piano", "electric_piano", "pluck", "harp", "strings")
_PAN = {
    "pluck": -0.35,
    "harp": 0.3,
    "bell": 0.25,
    "electric_piano": -0.15,
    "strings": 0.1,
    "flute": 0.12,
    "piano": -0.08,
}
_REVERB = {"bass": 0.02, "pad": 0.4, "strings": 0.4, "bell": 0.45, "flute": 0.35, "drums": 0.08}
_GAIN = {"pad": 0.5, "strings": 0.6, "bass": 0.85, "drums": 0.8}
# The energy of a section from which a role takes part.
_ENTERS = {"bass": 0.3, "melody": 0.35, "drums": 0.4}


def compose(brief: Brief, draws: Draws | None = None) -> Score:
    """The score of a brief; one seed gives one score."""
    draws = draws or of_piece(brief.seed)
    bars = form.bar_count(brief)
    sections = form.sections(bars, brief.mode)
    chords = harmony.plan(brief, sections, draws("chords"))
    parts = {
        "harmony": _harmony(brief, sections, chords, draws("harmony")),
        "bass": _bass(brief, sections, chords, draws("bass")),
        "melody": _melody(brief, sections, chords, draws("melody")),
        "drums": _drums(brief, sections, draws("drums")),
    }
    voices = [voice for found in parts.values() for voice in found]
    if brief.mode == "creation":
        voices = _with_ending(brief, voices, chords[-1], bars)
    random = draws(PERFORMANCE)
    return score_of(brief, sections, chords, [_humanised(voice, brief, random) for voice in voices if voice.notes])


def score_of(brief: Brief, sections: tuple[Section, ...], chords: Sequence[Chord], voices: Sequence[Voice]) -> Score:
    """The score of these parts; `chords` has one for each bar, and the last chord."""
    return Score(
        tempo=brief.tempo,
        beats_per_bar=brief.beats_per_bar,
        tonic=brief.tonic,
        scale=brief.scale,
        bars=len(chords) - 1,
        seconds=brief.seconds,
        sections=sections,
        voices=tuple(voices),
        mode=brief.mode,
        seed=brief.seed,
        fade_seconds=brief.fade_seconds,
        chords=tuple((float(bar * brief.beats_per_bar), chord.pitches) for bar, chord in enumerate(chords)),
    )


def voice(role: str, instrument: str, notes: Sequence[Note], gain: float = 1.0) -> Voice:
    """A voice at its usual place in the room."""
    place = instrument if role != "drums" else "drums"
    return Voice(
        role, instrument, tuple(notes), gain * _GAIN.get(place, 0.8), _PAN.get(place, 0.0), _REVERB.get(place, 0.22)
    )


def lead_of(brief: Brief) -> str:
    """The instrument that carries the melody: a named one before a usual one."""
    able = [name for name in brief.instruments if name in LEADS]
    return next((name for name in able if name in ("flute", "bell", "synth")), able[0] if able else "piano")


def _harmony(brief: Brief, sections: Sequence[Section], chords: Sequence[Chord], random: Random) -> list[Voice]:
    """The first instrument accompanies throughout, others join with energy."""
    lead = lead_of(brief)
    players = [name for name in brief.instruments if name not in ("bass", lead)] or [lead]
    found = []
    for index, instrument in enumerate(players[:3]):
        pattern = accompaniment.comp_pattern(instrument, brief, random)
        enters = 0.0 if index == 0 else 0.3 + 0.15 * index
        notes: list[Note] = []
        for section in sections:
            if section.energy >= enters:
                notes += accompaniment.play(pattern, brief, section.start_bar, section.bars, chords, random)
        found.append(voice("harmony", instrument, notes, 0.9 - 0.15 * index))
    return found


def _bass(brief: Brief, sections: Sequence[Section], chords: Sequence[Chord], random: Random) -> list[Voice]:
    if "bass" not in brief.instruments:
        return []
    notes: list[Note] = []
    for section in sections:
        if section.energy >= _ENTERS["bass"]:
            pattern = accompaniment.bass_pattern(brief)
            notes += accompaniment.play(pattern, brief, section.start_bar, section.bars, chords, random)
    return [voice("bass", "bass", notes)]


def _melody(brief: Brief, sections: Sequence[Section], chords: Sequence[Chord], random: Random) -> list[Voice]:
    """Sections of one letter share a motif; each repeat varies it, and none has the line of another."""
    ideas = {letter: melody.motif(brief, random) for letter in "ABC"}
    heard: defaultdict[str, list[Line]] = defaultdict(list)
    notes: list[Note] = []
    for section in sections:
        if section.letter in ideas and section.energy >= _ENTERS["melody"]:
            idea, lines = ideas[section.letter], heard[section.letter]
            written = melody.phrase_notes(brief, section, chords, idea, random, len(lines))
            while (line := _line(brief, section, written)) in lines:
                written = melody.ornamented(brief, written, random)
            lines.append(line)
            notes += [replace(note, velocity=note.velocity * (0.8 + 0.25 * section.energy)) for note in written]
    gain = 0.7 if brief.mode == "focus" else 1.0
    return [voice("melody", lead_of(brief), notes, gain)]


def _line(brief: Brief, section: Section, notes: Sequence[Note]) -> Line:
    """When and on which pitch each note begins, from the beginning of the section."""
    first = section.start_bar * brief.beats_per_bar
    return tuple((note.start - first, note.pitch) for note in notes)


def _drums(brief: Brief, sections: Sequence[Section], random: Random) -> list[Voice]:
    if not brief.drums:
        return []
    notes: list[Note] = []
    for section in sections:
        if section.energy >= _ENTERS["drums"]:
            notes += drums.section_notes(brief, section, random)
    return [voice("drums", "drums", notes)]


def _with_ending(brief: Brief, voices: list[Voice], last: Chord, bars: int) -> list[Voice]:
    """The last chord, struck on the bar line after the last bar; it rings to the end."""
    start = float(bars * brief.beats_per_bar)
    rest = brief.seconds * brief.tempo / 60 - start
    ended = []
    for each in voices:
        pitches: tuple[int, ...] = ()
        if each.role == "harmony":
            pitches = last.pitches
        elif each.role == "bass":
            pitches = (last.classes[0] + 36,)
        final = [Note(start, rest, pitch, 0.55) for pitch in pitches]
        ended.append(replace(each, notes=(*each.notes, *final)))
    return ended


def _humanised(each: Voice, brief: Brief, random: Random) -> Voice:
    """Small deviations of time (6 ms) and velocity, none before the first beat; swing moves the second eighth."""
    spread = 0.006 * brief.tempo / 60 * (0.4 if each.role in ("drums", "bass") else 1.0)
    notes = []
    for note in each.notes:
        swing = brief.swing if note.start % 1 == 0.5 and each.role != "drums" else 0.0
        start = max(0.0, note.start + swing + max(-2.0, min(2.0, random.gauss(0, 1))) * spread)
        velocity = max(0.05, min(1.0, note.velocity * random.uniform(0.92, 1.06)))
        notes.append(Note(start, note.length, note.pitch, velocity))
    return replace(each, notes=tuple(notes))
