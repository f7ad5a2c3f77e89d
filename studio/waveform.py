"""The waveform of a piece, for a small picture: how loud each of its parts is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from studio.synthesis.signals import Samples

PARTS = 96


class WaveformMeter:
    """Measures the blocks of a piece of `total` samples as they pass."""

    def __init__(self, total: int) -> None:
        self._total = max(1, total)
        self._done = 0
        self._power, self._counts = np.zeros(PARTS), np.zeros(PARTS)

    def measuring(self, blocks: Iterator[Samples]) -> Iterator[Samples]:
        """The same blocks."""
        for block in blocks:
            self._add(block)
            yield block

    def levels(self) -> bytes:
        """The level (RMS) of each of PARTS equal parts, from 0 to 255, which is that of the loudest part."""
        levels = np.sqrt(self._power / np.maximum(self._counts, 1))
        return np.rint(255 * levels / (levels.max() or 1)).astype(np.uint8).tobytes()

    def _add(self, block: Samples) -> None:
        places = np.arange(self._done, self._done + len(block)) * PARTS // self._total
        places = np.minimum(places, PARTS - 1)
        self._power += np.bincount(places, weights=(block.astype(np.float64) ** 2).mean(axis=1), minlength=PARTS)
        self._counts += np.bincount(places, minlength=PARTS)
        self._done += len(block)
