"""Levels the edges of a segment, so that it joins its neighbours without a jump in loudness.

A player fades one segment out while the next one fades in, along curves whose powers add up to one. Music is not
equally loud in every bar, so the first and the last seconds get a gain with which, under its fade, each has half the
energy of the whole piece: together they have all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from studio.mastering.loudness import LoudnessMeter, energy_at, weighted_energy
from studio.mastering.master import Mix
from studio.synthesis import RATE
from studio.synthesis.signals import Samples

MOST_DECIBELS = 9.0
RETURN_SECONDS = 10.0
"""How long the gain of an edge takes to return to nothing."""


@dataclass(frozen=True, slots=True)
class Levelled:
    """A mix with a gain in decibels at its start and its end."""

    mix: Mix
    fade: int
    """Samples of the crossfade."""
    start_decibels: float
    end_decibels: float

    @property
    def count(self) -> int:
        """Samples of each channel."""
        return self.mix.count

    def blocks(self) -> Iterator[Samples]:
        """The samples in blocks of one second."""
        done = 0
        for block in self.mix.blocks():
            yield block * self._gain(done, len(block))[:, None]
            done += len(block)

    def _gain(self, start: int, count: int) -> Samples:
        """Held for the crossfade, then a line in decibels to 0."""
        position = np.arange(start, start + count, dtype=np.float64)
        slope = max(1.0, min(RETURN_SECONDS * RATE, self.count / 2 - self.fade))
        share_of_start = np.clip(1 - (position - self.fade) / slope, 0, 1)
        share_of_end = np.clip(1 - (self.count - position - self.fade) / slope, 0, 1)
        decibels = self.start_decibels * share_of_start + self.end_decibels * share_of_end
        return np.asarray(10 ** (decibels / 20), dtype=np.float32)


def levelled(mix: Mix, fade_seconds: float) -> Levelled:
    """The mix with its edges levelled for a crossfade of so many seconds."""
    fade = min(round(fade_seconds * RATE), mix.count // 2)
    meter = LoudnessMeter()
    for block in mix.blocks():
        meter.add(block)
    wanted = energy_at(meter.integrated()) / 2
    rising = np.sin(np.arange(fade) / max(1, fade) * np.pi / 2)
    start = _missing(mix.part(0, fade), rising, wanted)
    end = _missing(mix.part(mix.count - fade, fade), rising[::-1], wanted)
    return Levelled(mix, fade, start, end)


def _missing(edge: Samples, curve: Samples, wanted: float) -> float:
    """The decibels that the faded edge lacks."""
    found = weighted_energy(edge * curve[:, None])
    return float(np.clip(10 * np.log10(wanted / max(found, 1e-12)), -MOST_DECIBELS, MOST_DECIBELS))
