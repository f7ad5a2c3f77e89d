"""Integrated loudness of a stereo signal that comes in blocks (ITU-R BS.1770-4, section 2 of annex 1).

pyloudnorm needs the whole piece in memory; this meter keeps four numbers for a second of it. The tests compare both.
"""

from __future__ import annotations

import numpy as np
from scipy import signal

from studio.synthesis import RATE
from studio.synthesis.signals import Samples

# K-weighting at 44.1 kHz: a high shelf of 4 dB at 1.68 kHz and a high-pass at 38 Hz, as second-order sections.
_SHELF = (1.5308412300503478, -2.6509799951547297, 1.169079079921587, 1.0, -1.6636551132560202, 0.7125954280732254)
_HIGH_PASS = (1.0, -2.0, 1.0, 1.0, -1.9891696736297957, 0.9891990357870394)
_STEP = RATE // 10
_ABSOLUTE_GATE, _RELATIVE_GATE = -70.0, -10.0
_OFFSET = -0.691


class LoudnessMeter:
    """Feed blocks to `add`, then read `integrated()` in LUFS."""

    def __init__(self) -> None:
        self._sections = np.array((_SHELF, _HIGH_PASS))
        self._state = np.zeros((2, 2, 2))
        self._pending = np.zeros((2, 0))
        self._energies: list[float] = []

    def add(self, block: Samples) -> None:
        """Measures a block of any length, two channels."""
        channels = np.ascontiguousarray(block.T)
        weighted, self._state = signal.sosfilt(self._sections, channels, zi=self._state)
        pending = np.concatenate((self._pending, weighted), axis=1)
        whole = pending.shape[1] // _STEP * _STEP
        steps = pending[:, :whole].reshape(2, -1, _STEP)
        self._energies += (np.einsum("cks,cks->k", steps, steps) / _STEP).tolist()
        self._pending = pending[:, whole:]

    def integrated(self) -> float:
        """The gated loudness in LUFS; -70 for silence. Gating blocks last 400 ms and overlap by 75 %."""
        steps = np.array(self._energies)
        if len(steps) < 4:
            return self._ungated(steps)
        blocks = np.convolve(steps, np.full(4, 0.25), "valid")
        loud = blocks[_lufs(blocks) > _ABSOLUTE_GATE]
        if not len(loud):
            return _ABSOLUTE_GATE
        gated = loud[_lufs(loud) > _lufs(loud.mean()) + _RELATIVE_GATE]
        return float(_lufs(gated.mean()))

    def _ungated(self, steps: Samples) -> float:
        energies = [*steps, *((self._pending**2).mean(axis=1).sum(),) * bool(self._pending.size)]
        mean = float(np.mean(energies)) if energies else 0.0
        return float(_lufs(np.float64(mean))) if mean > 0 else _ABSOLUTE_GATE


def _lufs(energy: Samples | np.float64) -> Samples:
    return np.asarray(_OFFSET + 10 * np.log10(np.maximum(energy, 1e-12)))
