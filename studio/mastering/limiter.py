"""A limiter with a look-ahead of 2 milliseconds that holds true peaks (four times oversampled, BS.1770-4 annex 2)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage, signal

from studio.synthesis import RATE
from studio.synthesis.signals import Samples

OVERSAMPLING = 4
LOOK_AHEAD = 88
RELEASE_SECONDS = 0.09
_MARGIN = 12
_TAPS = signal.firwin(_MARGIN * OVERSAMPLING + 1, 0.92 / OVERSAMPLING).astype(np.float32)


def true_peaks(samples: Samples) -> Samples:
    """The largest absolute value between each sample and the next, of both channels, four times oversampled."""
    channels = np.ascontiguousarray(samples.T)
    oversampled = np.abs(signal.resample_poly(channels, OVERSAMPLING, 1, axis=1, window=_TAPS))
    louder = np.maximum(oversampled[0], oversampled[1])
    # A reduction over four slices is six times as fast as one over the last axis.
    return np.asarray(np.maximum.reduce([louder[phase::OVERSAMPLING] for phase in range(OVERSAMPLING)]))


class Limiter:
    """Keeps true peaks below a ceiling. Output comes `LOOK_AHEAD + 12` samples late: call `finish` for the rest."""

    def __init__(self, ceiling: float) -> None:
        self._ceiling = np.float32(ceiling)
        self._held = np.zeros((0, 2), dtype=np.float32)
        self._before = np.zeros((_MARGIN, 2), dtype=np.float32)
        self._reduction = 0.0

    def process(self, block: Samples) -> Samples:
        """The samples that are ready after this block."""
        waiting = np.concatenate((self._held, block))
        ready = len(waiting) - LOOK_AHEAD - _MARGIN
        return self._emit(waiting, ready) if ready > 0 else self._hold(waiting)

    def finish(self) -> Samples:
        """The last samples."""
        silence = np.zeros((LOOK_AHEAD + _MARGIN, 2), dtype=np.float32)
        return self._emit(np.concatenate((self._held, silence)), len(self._held))

    def _hold(self, waiting: Samples) -> Samples:
        self._held = waiting
        return waiting[:0]

    def _emit(self, waiting: Samples, ready: int) -> Samples:
        peaks = true_peaks(np.concatenate((self._before, waiting)))[_MARGIN : _MARGIN + ready + LOOK_AHEAD]
        # The deepest reduction that a peak in the next 2 ms asks for, smoothed over the same time, then released.
        needed = np.log(np.maximum(peaks / self._ceiling, 1.0))
        ahead = ndimage.maximum_filter1d(needed, LOOK_AHEAD + 1, origin=-(LOOK_AHEAD // 2))[:ready]
        gain = np.exp(-self._released(ahead)).astype(np.float32)
        out, self._held = waiting[:ready] * gain[:, None], waiting[ready:]
        self._before = np.concatenate((self._before, waiting[:ready]))[-_MARGIN:]
        return out

    def _released(self, reduction: Samples) -> Samples:
        """Attack at once, release by 1/e in 90 ms: the running maximum of decaying reductions."""
        rate = 1 / (RELEASE_SECONDS * RATE)
        ramp = np.arange(len(reduction)) * rate
        # In the logarithm the decay of each value is a line, so that the running maximum is one accumulate.
        lines = np.log(np.maximum(reduction, 1e-9)) + ramp
        lines[0] = max(lines[0], np.log(max(self._reduction, 1e-9)) - rate)
        held = np.exp(np.maximum.accumulate(lines) - ramp)
        self._reduction = float(held[-1])
        return np.asarray(held)
