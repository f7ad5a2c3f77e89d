"""Elementary signals: envelopes, partials, wavetables, noise. All are float32 arrays at 44,100 samples per second."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from studio.synthesis import RATE

Samples = NDArray[np.float32]
TABLE_SIZE = 4096
NYQUIST_MARGIN = 0.42 * RATE


def frequency(pitch: float) -> float:
    """The frequency in hertz of a MIDI pitch; A4 (69) is 440 Hz."""
    return float(440.0 * 2 ** ((pitch - 69) / 12))


def times(seconds: float) -> Samples:
    """The time of each sample in seconds."""
    return np.arange(max(1, round(seconds * RATE)), dtype=np.float32) / np.float32(RATE)


def decaying_partials(
    fundamental: float, seconds: float, ratios: Sequence[float], levels: Sequence[float], decays: Sequence[float]
) -> Samples:
    """Sines that die away; a decay is the time in seconds to 1/e. Partials near the Nyquist limit are left out."""
    time = times(seconds)
    out = np.zeros_like(time)
    for ratio, level, decay in zip(ratios, levels, decays, strict=True):
        if fundamental * ratio > NYQUIST_MARGIN or level < 1e-4:
            continue
        heard = time[: round(min(seconds, 7 * decay) * RATE)]
        phase = np.float32(2 * np.pi * fundamental * ratio) * heard
        out[: len(heard)] += np.float32(level) * np.exp(heard * np.float32(-1 / decay)) * np.sin(phase)
    return out


@lru_cache(64)
def wavetable(levels: tuple[float, ...]) -> Samples:
    """One period of a wave with those levels of its harmonics."""
    phase = np.arange(TABLE_SIZE) * (2 * np.pi / TABLE_SIZE)
    wave = sum(level * np.sin((index + 1) * phase) for index, level in enumerate(levels))
    return np.asarray(wave, dtype=np.float32)


def oscillator(levels: Sequence[float], fundamental: float, time: Samples, vibrato: Samples | None = None) -> Samples:
    """A periodic wave; `vibrato` is a phase in periods that is added. Harmonics near the Nyquist limit are left out."""
    audible = max(1, min(len(levels), int(NYQUIST_MARGIN / fundamental)))
    table = wavetable(tuple(levels[:audible]))
    phase = time.astype(np.float64) * fundamental
    if vibrato is not None:
        phase += vibrato
    index = (phase * TABLE_SIZE).astype(np.int64) & (TABLE_SIZE - 1)
    return np.asarray(table[index])


def envelope(count: int, attack: float, release: float) -> Samples:
    """Rises for `attack` seconds, stays at 1, falls over the last `release` seconds; both as half a cosine."""
    shape = np.ones(count, dtype=np.float32)
    rise, fall = min(count, round(attack * RATE)), min(count, round(release * RATE))
    if rise:
        shape[:rise] = 0.5 - 0.5 * np.cos(np.pi * np.arange(rise, dtype=np.float32) / rise)
    if fall:
        shape[count - fall :] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, fall + 1, dtype=np.float32) / fall)
    return shape


def noise(count: int, seed: int) -> Samples:
    """White noise from -1 to 1, the same for one seed."""
    return np.random.default_rng(seed).uniform(-1, 1, count).astype(np.float32)


def filtered(samples: Samples, kind: str, *hertz: float) -> Samples:
    """The signal through a Butterworth filter of second order; `kind` is lowpass, highpass or bandpass."""
    limits = hertz[0] if len(hertz) == 1 else hertz
    sections = signal.butter(2, limits, kind, fs=RATE, output="sos")
    return np.asarray(signal.sosfilt(sections, samples), dtype=np.float32)
