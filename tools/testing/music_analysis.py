"""What a listener would measure in a piece: loudness, peaks, tempo, key, form, silence, stereo."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np
import pyloudnorm
from numpy.typing import NDArray
from scipy import fft, signal

RATE = 44_100
Signal = NDArray[np.floating]
_HOP = 512


def decibels(value: float) -> float:
    """20 log10 of an amplitude; -200 for silence."""
    return float(20 * np.log10(max(value, 1e-10)))


def loudness(samples: Signal) -> float:
    """Integrated loudness in LUFS by pyloudnorm."""
    seconds = len(samples) / RATE
    return float(pyloudnorm.Meter(RATE, block_size=min(0.4, seconds * 0.9)).integrated_loudness(samples))


def true_peak(samples: Signal) -> float:
    """The true peak in dBTP, by scipy's own interpolation, four times oversampled."""
    return decibels(float(np.abs(signal.resample_poly(samples, 4, 1, axis=0)).max()))


def longest_silence(samples: Signal) -> float:
    """The longest stretch below -60 dBFS in seconds, measured in steps of 50 ms."""
    step = RATE // 20
    steps = np.abs(samples[: len(samples) // step * step]).max(axis=1).reshape(-1, step).max(axis=1) < 1e-3
    longest = run = 0
    for quiet in steps:
        run = run + 1 if quiet else 0
        longest = max(longest, run)
    return longest / 20


def onsets(samples: Signal) -> Signal:
    """How much the spectrum rises, for each hop of 512 samples."""
    _, _, spectrum = signal.stft(samples.mean(axis=1), RATE, nperseg=2048, noverlap=2048 - _HOP)
    levels = np.log1p(100 * np.abs(spectrum))
    rise = np.maximum(np.diff(levels, axis=1), 0).sum(axis=0)
    return np.asarray(rise - signal.medfilt(rise, 31))


def tempo_near(samples: Signal, tempo: float) -> float:
    """The tempo within 8 % of `tempo` at which the onsets agree best with themselves, in beats per minute.

    Read from the autocorrelation at one, two, four and eight beats, so that the resolution is far below 1 %.
    """
    strength = np.maximum(onsets(samples), 0)
    strength -= strength.mean()
    correlation = signal.fftconvolve(strength, strength[::-1])[len(strength) - 1 :]
    candidates = np.linspace(tempo * 0.92, tempo * 1.08, 641)
    lags = 60 / candidates * RATE / _HOP
    score = sum(np.interp(lags * beats, np.arange(len(correlation)), correlation) for beats in (1, 2, 4, 8))
    return float(candidates[int(np.argmax(score))])


def chroma(samples: Signal) -> Signal:
    """The energy of the tonal part in each pitch class, C first, by peaks of the spectrum from 60 Hz to 2 kHz."""
    _, _, spectrum = signal.stft(samples.mean(axis=1), RATE, nperseg=16_384, noverlap=8_192)
    power = np.abs(spectrum) ** 2
    hertz = np.fft.rfftfreq(16_384, 1 / RATE)
    peaks = (power[1:-1] > power[:-2]) & (power[1:-1] > power[2:])
    # A tone stands out of its surroundings; the hiss of a cymbal does not.
    floor = signal.medfilt2d(power, (41, 1))[1:-1]
    tonal = np.where(peaks & (power[1:-1] > 50 * floor), power[1:-1], 0).sum(axis=1)
    inside = (hertz[1:-1] > 60) & (hertz[1:-1] < 2_000)
    classes = np.round(69 + 12 * np.log2(hertz[1:-1][inside] / 440)).astype(int) % 12
    return np.asarray(np.bincount(classes, weights=tonal[inside], minlength=12), dtype=np.float64)


def share_in_scale(samples: Signal, classes: Collection[int]) -> float:
    """The share of pitched energy that lies in those pitch classes."""
    energies = chroma(samples)
    return float(energies[list(classes)].sum() / energies.sum())


def features(samples: Signal, bounds: list[tuple[float, float]]) -> Signal:
    """A fingerprint of each stretch (seconds): its mel-like spectrum over time, as one vector of unit length."""
    rows = []
    for start, end in bounds:
        piece = samples[round(start * RATE) : round(end * RATE)].mean(axis=1)
        _, _, spectrum = signal.stft(piece, RATE, nperseg=8_192, noverlap=4_096)
        power = np.abs(spectrum[4:700]) ** 2
        bands = np.add.reduceat(power, np.unique(np.geomspace(1, 690, 48).astype(int)), axis=0)
        grid = signal.resample(np.log1p(1e4 * bands), 32, axis=1)
        vector = (grid - grid.mean()).ravel()
        rows.append(vector / np.linalg.norm(vector))
    return np.array(rows)


def similarity(samples: Signal, bounds: list[tuple[float, float]]) -> Signal:
    """The similarity of each stretch with each other, from -1 to 1."""
    found = features(samples, bounds)
    return found @ found.T


def fingerprint(samples: Signal) -> Signal:
    """A vector of a whole piece: pitch classes, rhythm and spectrum; its distance says how alike two pieces are."""
    energies = chroma(samples)
    strength = np.maximum(onsets(samples), 0)
    rhythm = np.abs(fft.rfft(strength, 4096))[1:200]
    _, spectrum = signal.welch(samples.mean(axis=1), RATE, nperseg=4096)
    bands = np.log1p(1e6 * np.add.reduceat(spectrum, np.unique(np.geomspace(2, 1800, 40).astype(int))))
    parts = [part / (np.linalg.norm(part) + 1e-12) for part in (np.sqrt(energies), rhythm, bands - bands.mean())]
    return np.concatenate(parts)


def stereo_correlation(samples: Signal) -> float:
    """The correlation of left and right."""
    return float(np.corrcoef(samples[:, 0], samples[:, 1])[0, 1])


def mono_loss(samples: Signal) -> float:
    """How many decibels quieter the sum of both channels is."""
    stereo = float(np.sqrt((samples**2).mean()))
    return decibels(stereo) - decibels(float(np.sqrt((samples.mean(axis=1) ** 2).mean())))


def spread(values: Collection[float]) -> float:
    """The largest distance between neighbours of sorted values."""
    return max((upper - lower for lower, upper in pairwise(sorted(values))), default=0.0)


def crossfaded(pieces: Sequence[Signal], fade_seconds: float) -> tuple[Signal, list[int]]:
    """Pieces as a player joins them, each over the end of the one before, and the sample at which each join begins.

    The fades are a quarter of a cosine and of a sine, so that their powers add up to one.
    """
    count = round(fade_seconds * RATE)
    angle = (np.arange(count) / count * np.pi / 2)[:, None]
    played, joins = pieces[0], []
    for piece in pieces[1:]:
        joins.append(len(played) - count)
        both = played[-count:] * np.cos(angle) + piece[:count] * np.sin(angle)
        played = np.concatenate([played[:-count], both, piece[count:]])
    return played, joins


def join_jumps(played: Signal, joins: Sequence[int], fade_seconds: float) -> list[float]:
    """By how many LU each crossfade is louder than what is played alone before and after it, on average."""
    count = round(fade_seconds * RATE)
    around = pairwise(_alone(played, joins, count))
    return [
        loudness(played[start : start + count]) - (before + after) / 2
        for start, (before, after) in zip(joins, around, strict=True)
    ]


def steps(played: Signal, joins: Sequence[int], fade_seconds: float) -> list[float]:
    """By how many LU what is played alone after each crossfade is louder than what is before it."""
    return [after - before for before, after in pairwise(_alone(played, joins, round(fade_seconds * RATE)))]


def _alone(played: Signal, joins: Sequence[int], count: int) -> list[float]:
    """The loudness of each stretch between crossfades of `count` samples."""
    begins, ends = [0, *(start + count for start in joins)], [*joins, len(played)]
    return [loudness(played[begin:end]) for begin, end in zip(begins, ends, strict=True)]


def beat_errors(
    played: Signal, joins: Sequence[int], fade_seconds: float, tempo: float, beats: int = 16
) -> list[float]:
    """How far the beats after each join lie from those before it, in seconds."""
    beat, errors = 60 / tempo, []
    for start in joins:
        before = beat_phase(played, tempo, start / RATE - beats * beat, beats)
        after = beat_phase(played, tempo, start / RATE + fade_seconds, beats)
        distance = abs(after - before) % beat
        errors.append(min(distance, beat - distance))
    return errors


def beat_phase(samples: Signal, tempo: float, start: float, beats: int) -> float:
    """Where in the beat the onsets of so many beats from `start` (seconds) lie, in seconds from 0 to one beat.

    The beats are counted from the first sample of the whole signal.
    """
    beat, first = 60 / tempo, round(start * RATE)
    part = samples[first : first + round(beats * beat * RATE)]
    strength = np.maximum(onsets(part), 0)
    moments = first / RATE + np.arange(len(strength)) * _HOP / RATE
    angle = np.angle((strength * np.exp(2j * np.pi * moments / beat)).sum())
    return float(angle / (2 * np.pi) % 1 * beat)
