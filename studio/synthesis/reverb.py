"""Reverb: convolution with a computed room, block by block."""

from __future__ import annotations

import numpy as np
from scipy import fft, signal

from studio.synthesis import RATE
from studio.synthesis.signals import Samples, filtered, noise

ROOM_SECONDS = 2.2
_PREDELAY = round(0.018 * RATE)


def room(seconds: float = ROOM_SECONDS) -> Samples:
    """The response of a room, two channels: noise that dies away, its high part three times as fast, without bass."""
    count = round(seconds * RATE)
    time = np.arange(count, dtype=np.float32) / RATE
    channels = []
    for seed in (11, 12):
        hiss = filtered(noise(count, seed), "highpass", 220)
        dark = filtered(hiss, "lowpass", 2200) * np.exp(-time * np.float32(6.9 / seconds))
        air = filtered(filtered(hiss, "highpass", 2200), "lowpass", 8000) * np.exp(-time * np.float32(20 / seconds))
        channels.append(np.concatenate((np.zeros(_PREDELAY, dtype=np.float32), dark + 0.6 * air)))
    response = np.stack(channels)
    return np.asarray(response / np.sqrt((response**2).sum(axis=1, keepdims=True)), dtype=np.float32)


class Reverb:
    """Convolves a mono signal with a room, in blocks of one size; the rest of each block is kept for the next."""

    def __init__(self, block: int) -> None:
        response = room()
        self._size = fft.next_fast_len(block + response.shape[1] - 1, real=True)
        self._spectrum = fft.rfft(response, self._size)
        self._rest = np.zeros((2, self._size), dtype=np.float32)

    def process(self, dry: Samples) -> Samples:
        """The reverberation of a block, two rows of the same length, at most the size of a block."""
        self._rest += fft.irfft(fft.rfft(dry, self._size) * self._spectrum, self._size)
        out = self._rest[:, : len(dry)].copy()
        self._rest[:, : -len(dry)] = self._rest[:, len(dry) :]
        self._rest[:, -len(dry) :] = 0
        return out


def dc_blocker() -> Samples:
    """A high-pass filter at 24 Hz, as second-order sections."""
    return np.asarray(signal.butter(2, 24, "highpass", fs=RATE, output="sos"))
