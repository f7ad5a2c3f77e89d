"""The score: what is to be played, as data. Times are in beats (quarter notes), pitches are MIDI numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

DRUM_PITCHES = {"kick": 36, "snare": 38, "rim": 37, "hat": 42, "open_hat": 46, "shaker": 70, "tom": 45, "crash": 49}
TICKS = 480
_EARLY = 0.1
"""How many beats a note of a bar may begin before its bar line."""


@dataclass(frozen=True, slots=True)
class Note:
    """A note; `start` and `length` in beats, `velocity` from 0 to 1."""

    start: float
    length: float
    pitch: int
    velocity: float


@dataclass(frozen=True, slots=True)
class Voice:
    """The notes of one instrument. `role` names the stem that it belongs to; `pan` is from -1 (left) to 1."""

    role: str
    instrument: str
    notes: tuple[Note, ...]
    gain: float = 1.0
    pan: float = 0.0
    reverb: float = 0.2


@dataclass(frozen=True, slots=True)
class Section:
    """Some bars of the form; sections with one letter share harmony and motif."""

    letter: str
    start_bar: int
    bars: int
    energy: float


@dataclass(frozen=True, slots=True)
class Score:
    """A piece. `bars` whole bars are followed by the last chord, which rings until `seconds`."""

    tempo: float
    beats_per_bar: int
    tonic: int
    scale: str
    bars: int
    seconds: float
    sections: tuple[Section, ...]
    voices: tuple[Voice, ...]
    mode: str
    seed: int
    chords: tuple[tuple[float, tuple[int, ...]], ...] = ()
    fade_seconds: float = 0.0

    @property
    def beat_seconds(self) -> float:
        return 60.0 / self.tempo

    @property
    def has_pulse(self) -> bool:
        """Whether drums mark the beat, or a plucked instrument with at least a note a bar; single notes do not."""
        return any(
            voice.role == "drums" or (voice.instrument in ("pluck", "harp") and len(voice.notes) >= self.bars)
            for voice in self.voices
        )

    def events(self) -> list[tuple[float, Voice, Note]]:
        """Every note with its start in seconds and its voice, in order of time."""
        found = [(note.start * self.beat_seconds, voice, note) for voice in self.voices for note in voice.notes]
        return sorted(found, key=lambda event: event[0])


def last_bars(score: Score, bars: int) -> Score:
    """The last bars of a score, without what began before them."""
    start = float(max(0, score.bars - bars) * score.beats_per_bar)
    early = start - _EARLY
    voices = tuple(
        replace(
            voice,
            notes=tuple(
                replace(note, start=max(0.0, note.start - start)) for note in voice.notes if note.start >= early
            ),
        )
        for voice in score.voices
    )
    return replace(score, voices=voices, seconds=score.seconds - start * score.beat_seconds)


def to_midi(score: Score) -> bytes:
    """The score as a standard MIDI file, one track for each voice."""
    import mido

    file = mido.MidiFile(ticks_per_beat=TICKS)
    file.tracks.append(
        mido.MidiTrack(
            [
                mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(score.tempo)),
                mido.MetaMessage("time_signature", numerator=score.beats_per_bar, denominator=4),
            ]
        )
    )
    for index, voice in enumerate(score.voices):
        channel = 9 if voice.role == "drums" else index % 9
        file.tracks.append(mido.MidiTrack(_messages(voice, channel)))
    written = BytesIO()
    file.save(file=written)
    return written.getvalue()


def _messages(voice: Voice, channel: int) -> list[Any]:
    import mido

    moments: list[tuple[int, str, int, int]] = []
    for note in voice.notes:
        start, end = round(note.start * TICKS), round((note.start + note.length) * TICKS)
        moments.append((start, "note_on", note.pitch, max(1, round(note.velocity * 127))))
        moments.append((max(end, start + 1), "note_off", note.pitch, 0))
    messages, now = [mido.MetaMessage("track_name", name=voice.instrument)], 0
    for tick, kind, pitch, velocity in sorted(moments, key=lambda moment: (moment[0], moment[1] == "note_on")):
        messages.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=max(0, tick - now)))
        now = max(now, tick)
    return messages
