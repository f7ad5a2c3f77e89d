"""The mix of a score: every note at its time and place, reverb, the fade of the end; in blocks of one second.

The mix is linear: the sum of the stems is the mix. Memory does not grow with the length of the piece: only the notes
that sound in a block, and a cache of tones, are held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import signal

from studio.score import Note, Score, Voice
from studio.synthesis import RATE, percussion
from studio.synthesis.instruments import ToneCache
from studio.synthesis.reverb import Reverb, dc_blocker
from studio.synthesis.signals import Samples

BLOCK = RATE
END_FADE_SECONDS = 1.1
EDGE_FADE_SECONDS = 0.01


@dataclass(slots=True)
class _Sounding:
    """A note that sounds: its first sample in the piece, its samples, the gain of each channel, the share of reverb."""

    start: int
    channels: tuple[Samples, Samples]
    gains: tuple[np.float32, np.float32]
    send: np.float32

    def end(self) -> int:
        return self.start + len(self.channels[0])


class Mixer:
    """Renders a score; `role` renders the stem of that role alone."""

    def __init__(self, score: Score, role: str | None = None) -> None:
        self._total = round(score.seconds * RATE)
        self._score = score
        self._events = [event for event in score.events() if role in (None, event[1].role)]
        self._tones = ToneCache()
        self._next = 0
        self._hits = 0
        self._sounding: list[_Sounding] = []

    def blocks(self) -> Iterator[Samples]:
        """The samples, two channels, in blocks of one second; the last may be shorter."""
        reverb, sections = Reverb(BLOCK), dc_blocker()
        state = np.zeros((sections.shape[0], 2, 2))
        for start in range(0, self._total, BLOCK):
            dry, send = self._add_notes(start, min(BLOCK, self._total - start))
            mixed, state = signal.sosfilt(sections, dry + reverb.process(send), zi=state)
            yield np.asarray((mixed * self._fade(start, len(send))).T, dtype=np.float32)

    def _add_notes(self, start: int, count: int) -> tuple[Samples, Samples]:
        """The channels of a block, one after the other, and what goes into the reverb."""
        dry, send = np.zeros((2, count), dtype=np.float32), np.zeros(count, dtype=np.float32)
        self._begin_notes(start + count)
        for note in self._sounding:
            first, last = max(start, note.start), min(start + count, note.end())
            here, of_note = slice(first - start, last - start), slice(first - note.start, last - note.start)
            left, right = (channel[of_note] * gain for channel, gain in zip(note.channels, note.gains, strict=True))
            dry[0, here] += left
            dry[1, here] += right
            left += right  # in place, because the two are as long as the note
            left *= note.send
            send[here] += left
        self._sounding = [note for note in self._sounding if note.end() > start + count]
        return dry, send

    def _begin_notes(self, until: int) -> None:
        """Computes the notes that begin before the sample `until`."""
        while self._next < len(self._events):
            seconds, voice, note = self._events[self._next]
            if round(seconds * RATE) >= min(until, self._total):
                return
            self._next += 1
            self._sounding.append(self._sound(seconds, voice, note))

    def _sound(self, seconds: float, voice: Voice, note: Note) -> _Sounding:
        if voice.role == "drums":
            self._hits += 1
            tone = percussion.hit(note.pitch, self._hits)
        else:
            length = note.length * self._score.beat_seconds
            tone = self._tones.tone(voice.instrument, note.pitch, length, note.velocity)
        angle = (voice.pan + 1) * np.pi / 4
        level = voice.gain * note.velocity**1.4 * np.sqrt(2)
        gains = np.float32(np.cos(angle)) * np.float32(level), np.float32(np.sin(angle)) * np.float32(level)
        channels = (tone, tone) if tone.ndim == 1 else (tone[0], tone[1])
        return _Sounding(round(seconds * RATE), channels, gains, np.float32(0.5 * voice.reverb))

    def _fade(self, start: int, count: int) -> Samples:
        """1, but for the end of a piece and the first and last hundredth of a second."""
        position = np.arange(start, start + count, dtype=np.float64)
        end = END_FADE_SECONDS if self._score.mode == "creation" else EDGE_FADE_SECONDS
        left = np.clip((self._total - position) / (end * RATE), 0, 1)
        begun = np.clip(position / (EDGE_FADE_SECONDS * RATE), 0, 1)
        return np.asarray(np.sin(left * np.pi / 2) * begun, dtype=np.float32)
