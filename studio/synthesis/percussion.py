"""Drums and cymbals, computed from sweeps and filtered noise. Each has four takes: no two hits in a row are equal."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from studio.score import DRUM_PITCHES
from studio.synthesis import RATE
from studio.synthesis.signals import Samples, filtered, noise, times

TAKES = 4
_NAMES = {pitch: name for name, pitch in DRUM_PITCHES.items()}


def _decay(seconds: float, to_one_over_e: float) -> Samples:
    return np.asarray(np.exp(-times(seconds) / np.float32(to_one_over_e)), dtype=np.float32)


def _kick(take: int) -> Samples:
    time = times(0.4)
    phase = 46 * time + (2.6 + 0.1 * take) * (1 - np.exp(-time / np.float32(0.032)))
    return np.asarray(np.sin(2 * np.pi * phase) * np.exp(-time / np.float32(0.13)), dtype=np.float32)


def _snare(take: int) -> Samples:
    rattle = filtered(noise(round(0.25 * RATE), 100 + take), "bandpass", 900, 7500) * _decay(0.25, 0.055)
    body = np.sin(2 * np.pi * 185 * times(0.25)) * _decay(0.25, 0.04)
    return np.asarray(0.65 * rattle + 0.4 * body, dtype=np.float32)


def _rim(take: int) -> Samples:
    click = np.sin(2 * np.pi * (820 + 12 * take) * times(0.06)) * _decay(0.06, 0.009)
    return np.asarray(0.5 * click + 0.15 * noise(len(click), take) * _decay(0.06, 0.004), dtype=np.float32)


def _hat(take: int) -> Samples:
    return 0.4 * filtered(noise(round(0.09 * RATE), 200 + take), "bandpass", 5500, 11500) * _decay(0.09, 0.018)


def _open_hat(take: int) -> Samples:
    return 0.35 * filtered(noise(round(0.35 * RATE), 300 + take), "bandpass", 5000, 11000) * _decay(0.35, 0.09)


def _shaker(take: int) -> Samples:
    rise = np.minimum(times(0.1) * np.float32(40), 1)
    hiss = filtered(noise(round(0.1 * RATE), 400 + take), "bandpass", 4000, 9000)
    return np.asarray(0.35 * hiss * rise * _decay(0.1, 0.03), dtype=np.float32)


def _tom(take: int) -> Samples:
    time = times(0.35)
    phase = 95 * time + 1.2 * (1 - np.exp(-time / np.float32(0.05)))
    return np.asarray(0.7 * np.sin(2 * np.pi * phase + 0.1 * take) * np.exp(-time / np.float32(0.12)), dtype=np.float32)


def _crash(take: int) -> Samples:
    hiss = filtered(noise(round(1.6 * RATE), 500 + take), "bandpass", 3000, 10500)
    return np.asarray(0.3 * hiss * _decay(1.6, 0.4), dtype=np.float32)


_DRUMS: dict[str, Callable[[int], Samples]] = {
    "kick": _kick, "snare": _snare, "rim": _rim, "hat": _hat,
    "open_hat": _open_hat, "shaker": _shaker, "tom": _tom, "crash": _crash,
}  # fmt: skip


@lru_cache(TAKES * len(_DRUMS))
def _take(name: str, take: int) -> Samples:
    return np.asarray(_DRUMS[name](take), dtype=np.float32)


def hit(pitch: int, index: int) -> Samples:
    """One hit of the drum with that MIDI pitch; `index` chooses the take."""
    return _take(_NAMES[pitch], index % TAKES)
