"""Levels the edges of a segment, so that it joins its neighbours without a jump in loudness.

A player fades one segment out while the next one fades in, along curves whose powers add up to one. Music is not
equally loud in every bar, so the last seconds get a gain with which, faded out, they have half the energy of the whole
piece. The first seconds get one with which, faded in over the end of the segment before, both together have all of it:
the two play the same chord, and so may add up to more or less than each by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from studio.mastering.loudness import LoudnessMeter, energy_at, weighted
from studio.mastering.master import Mix
from studio.synthesis import RATE
from studio.synthesis.signals import Samples

MOST_DECIBELS = 9.0
RETURN_SECONDS = 10.0
"""How long the gain of an edge takes to return to nothing."""
_ROUNDS = 4


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


def levelled(mix: Mix, fade_seconds: float, before: Samples | None = None) -> Levelled:
    """The mix with its edges levelled for a crossfade of so many seconds.

    `before` is the end of the segment before this one, of any loudness, at least as long as the crossfade.
    """
    fade = min(round(fade_seconds * RATE), mix.count // 2)
    rising = np.sin(np.arange(fade) / max(1, fade) * np.pi / 2)[:, None]
    start = weighted(mix.part(0, fade) * rising)
    end = weighted(mix.part(mix.count - fade, fade) * rising[::-1])
    fading = np.zeros_like(start) if before is None else weighted(before[-fade:] * rising[::-1])
    found = Levelled(mix, fade, 0.0, 0.0)
    for _ in range(_ROUNDS):  # louder edges make the whole louder, too
        whole = energy_at(_loudness(found))
        found = Levelled(mix, fade, _joining(start, fading, whole), _alone(end, whole / 2))
    return found


def _alone(edge: Samples, wanted: float) -> float:
    """The decibels with which a faded edge has that energy."""
    return _within(float(np.sqrt(wanted / _energy(edge, edge))))


def _joining(start: Samples, fading: Samples, whole: float) -> float:
    """The decibels with which a faded start, and half the energy of what fades out meanwhile, have that energy."""
    if not fading.any():
        return _alone(start, whole / 2)
    fading = fading * np.sqrt(whole / 2 / _energy(fading, fading))
    own, both = _energy(start, start), _energy(start, fading)
    return _within((np.sqrt(both**2 + own * whole / 2) - both) / own)


def _energy(one: Samples, other: Samples) -> float:
    """The energy that two signals have in common; that of one signal is never 0."""
    return float((one * other).mean(axis=0).sum()) + 1e-12 if len(one) else 1e-12


def _within(gain: float) -> float:
    return float(np.clip(20 * np.log10(max(gain, 1e-6)), -MOST_DECIBELS, MOST_DECIBELS))


def _loudness(mix: Levelled) -> float:
    meter = LoudnessMeter()
    for block in mix.blocks():
        meter.add(block)
    return meter.integrated()
