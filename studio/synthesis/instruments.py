"""Pitched instruments: one tone each, computed from sines, without any recording.

Struck and plucked instruments ring as long as they do; bowed, blown and synthesised ones last as long as their note.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from studio.synthesis import RATE
from studio.synthesis.signals import (
    Samples,
    decaying_partials,
    envelope,
    filtered,
    frequency,
    noise,
    oscillator,
    times,
)

CACHE_BYTES = 48 * 1024 * 1024
LOUDNESS_STEPS = 4
_RELEASE = {"pad": 0.7, "strings": 0.35, "flute": 0.12, "synth": 0.15, "bass": 0.08}


def piano(pitch: int, seconds: float, brightness: float) -> Samples:
    """Slightly stretched partials, two strings that beat, and the thump of the hammer."""
    f0 = frequency(pitch)
    ring = 3.2 * 2 ** ((60 - pitch) / 24)
    count = 9
    ratios = [k * np.sqrt(1 + 0.00035 * k * k) for k in range(1, count + 1)]
    levels = [k**-1.25 * (0.45 + 0.5 * brightness) ** (k - 1) for k in range(1, count + 1)]
    decays = [ring / (1 + 0.45 * k) for k in range(1, count + 1)]
    tone = decaying_partials(f0, seconds, ratios, levels, decays)
    tone += 0.35 * decaying_partials(f0 * 1.0006, seconds, ratios[:3], levels[:3], [d * 1.6 for d in decays[:3]])
    thump = noise(min(len(tone), 1200), 7) * envelope(min(len(tone), 1200), 0.001, 0.025)
    tone[: len(thump)] += 0.12 * brightness * filtered(thump, "lowpass", 900)
    return tone * 0.5


def electric_piano(pitch: int, seconds: float, brightness: float) -> Samples:
    """A tine: phase modulation that softens as it rings."""
    f0, time = frequency(pitch), times(seconds)
    ring = 2.2 * 2 ** ((60 - pitch) / 36)
    index = np.float32(0.4 + 1.3 * brightness) * np.exp(-time / np.float32(0.35))
    body = np.sin(np.float32(2 * np.pi * f0) * time + index * np.sin(np.float32(2 * np.pi * f0) * time))
    tine = (
        0.08 * brightness * np.sin(np.float32(2 * np.pi * min(f0 * 7, 9000)) * time) * np.exp(-time / np.float32(0.08))
    )
    return np.asarray((body * np.exp(-time / np.float32(ring)) + tine) * 0.5, dtype=np.float32)


def pluck(pitch: int, seconds: float, brightness: float) -> Samples:
    """A string plucked at a fifth of its length."""
    return _string(pitch, seconds, 0.2, 0.5 + 0.35 * brightness, 1.4)


def harp(pitch: int, seconds: float, brightness: float) -> Samples:
    """A string plucked near its middle, which rings longer."""
    return _string(pitch, seconds, 0.43, 0.3 + 0.3 * brightness, 2.4)


def _string(pitch: int, seconds: float, place: float, brightness: float, ring: float) -> Samples:
    numbers = range(1, 15)
    levels = [abs(np.sin(np.pi * k * place)) / k * brightness ** (0.35 * (k - 1)) for k in numbers]
    ring *= 2 ** ((60 - pitch) / 30)
    decays = [ring / (1 + 0.12 * k**1.5) for k in numbers]
    return decaying_partials(frequency(pitch), seconds, list(numbers), levels, decays) * 0.75


def bell(pitch: int, seconds: float, brightness: float) -> Samples:
    """A bar of metal with its overtones tuned to octaves and fifths, as a vibraphone's are."""
    levels = (1.0, 0.0, 0.12, 0.35 * (0.4 + brightness), 0.0, 0.06)
    ring = 2.6 * 2 ** ((72 - pitch) / 30)
    decays = (ring, 1.0, ring / 3, ring / 4, 1.0, ring / 9)
    return decaying_partials(frequency(pitch), seconds, range(1, 7), levels, decays) * 0.45


def flute(pitch: int, seconds: float, brightness: float) -> Samples:
    """A few harmonics, a little breath, and vibrato after a moment."""
    time = times(seconds)
    depth = np.clip((time - 0.25) * 3, 0, 1) * np.float32(0.006)
    vibrato = depth * np.sin(np.float32(2 * np.pi * 5.1) * time) * np.float32(frequency(pitch) / 32)
    tone = oscillator((1.0, 0.28 * (0.5 + brightness), 0.12, 0.04), frequency(pitch), time, vibrato)
    breath = filtered(noise(len(time), pitch), "bandpass", 1500, 6000) * np.float32(0.02)
    return np.asarray((tone + breath) * envelope(len(time), 0.06, _RELEASE["flute"]) * 0.42, dtype=np.float32)


def synth(pitch: int, seconds: float, brightness: float) -> Samples:
    """A sawtooth through a soft filter, two voices slightly apart."""
    time, f0 = times(seconds), frequency(pitch)
    levels = [k**-1.1 * (0.55 + 0.3 * brightness) ** (k - 1) for k in range(1, 13)]
    tone = oscillator(levels, f0 * 0.9985, time) + oscillator(levels, f0 * 1.0015, time)
    return np.asarray(tone * envelope(len(time), 0.012, _RELEASE["synth"]) * 0.24, dtype=np.float32)


def bass(pitch: int, seconds: float, brightness: float) -> Samples:
    """A round bass: strong fundamental, a few harmonics, a soft start."""
    time = times(seconds)
    levels = (1.0, 0.42 * (0.5 + brightness), 0.16 * brightness, 0.06 * brightness)
    tone = oscillator(levels, frequency(pitch), time) * np.exp(-time / np.float32(2.2))
    return np.asarray(np.tanh(1.3 * tone) * envelope(len(time), 0.012, _RELEASE["bass"]) * 0.55, dtype=np.float32)


def pad(pitch: int, seconds: float, brightness: float) -> Samples:
    """Three soft voices a few cents apart, differently on the left and on the right. Two channels."""
    levels = [k**-1.6 * (0.5 + 0.25 * brightness) ** (k - 1) for k in range(1, 8)]
    return _ensemble(pitch, seconds, levels, 0.35, _RELEASE["pad"], (0.9968, 1.0, 1.0024)) * np.float32(0.16)


def strings(pitch: int, seconds: float, brightness: float) -> Samples:
    """A section of bows: three brighter voices. Two channels."""
    levels = [k**-1.05 * (0.7 + 0.15 * brightness) ** (k - 1) for k in range(1, 13)]
    return _ensemble(pitch, seconds, levels, 0.14, _RELEASE["strings"], (0.9976, 1.0, 1.0021)) * np.float32(0.13)


def _ensemble(
    pitch: int, seconds: float, levels: list[float], attack: float, release: float, spread: tuple[float, ...]
) -> Samples:
    time, f0 = times(seconds), frequency(pitch)
    shape = envelope(len(time), min(attack, seconds / 3), min(release, seconds / 2))
    middle = oscillator(levels, f0, time)
    left = middle + oscillator(levels, f0 * spread[0], time)
    right = middle + oscillator(levels, f0 * spread[2], time)
    return np.asarray(np.stack((left, right)) * shape, dtype=np.float32)


STRUCK: dict[str, Callable[[int, float, float], Samples]] = {
    "piano": piano, "electric_piano": electric_piano, "pluck": pluck, "harp": harp, "bell": bell,
}  # fmt: skip
SUSTAINED: dict[str, Callable[[int, float, float], Samples]] = {
    "flute": flute, "synth": synth, "bass": bass, "pad": pad, "strings": strings,
}  # fmt: skip
_RING_SECONDS, _DAMP_SECONDS = 4.0, 0.18


class ToneCache:
    """Tones that were computed before; the oldest are dropped beyond 48 MiB."""

    def __init__(self) -> None:
        self._tones: OrderedDict[tuple[str, int, int, int], Samples] = OrderedDict()
        self._bytes = 0

    def tone(self, instrument: str, pitch: int, seconds: float, velocity: float) -> Samples:
        """One note of an instrument, with its release; one or two channels. Louder is brighter, in four steps."""
        step = min(LOUDNESS_STEPS - 1, int(velocity * LOUDNESS_STEPS))
        brightness = (step + 0.5) / LOUDNESS_STEPS
        if instrument in STRUCK:
            ring = self._get(instrument, pitch, _RING_SECONDS, step, brightness)
            count = min(len(ring), round((seconds + _DAMP_SECONDS) * RATE))
            return ring[:count] * envelope(count, 0.0, min(_DAMP_SECONDS, count / RATE))
        return self._get(instrument, pitch, seconds + _RELEASE[instrument], step, brightness)

    def _get(self, instrument: str, pitch: int, seconds: float, step: int, brightness: float) -> Samples:
        key = (instrument, pitch, round(seconds * 1000), step)
        if key in self._tones:
            self._tones.move_to_end(key)
            return self._tones[key]
        made = (STRUCK | SUSTAINED)[instrument](pitch, seconds, brightness)
        self._tones[key] = made
        self._bytes += made.nbytes
        while self._bytes > CACHE_BYTES:
            self._bytes -= self._tones.popitem(last=False)[1].nbytes
        return made
