"""Reads a WAV file of a program in blocks of a second, at the rate and with the channels of the studio."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy import signal

from studio.engines.base import EngineFailed
from studio.synthesis import RATE
from studio.synthesis.signals import Samples

LOWEST_RATE, HIGHEST_RATE = 8_000, 192_000
FADE_SECONDS = 0.5
# Half the length of scipy's filter, in samples of the slower of the two rates.
_HALF_FILTER = 10


def blocks(path: Path, seconds: float) -> Iterator[Samples]:
    """The samples, two channels, at most `seconds`; what is longer is cut and faded out. Raises EngineFailed."""
    try:
        with soundfile.SoundFile(path) as file:
            _require_usable(file)
            yield from _shaped(file, seconds)
    except soundfile.SoundFileError as error:
        raise EngineFailed("The engine wrote no audio.", f"no WAV file: {error}") from error


def _require_usable(file: soundfile.SoundFile) -> None:
    if file.format not in ("WAV", "WAVEX", "RF64"):
        raise EngineFailed("The engine wrote no audio.", f"the form of the file is {file.format}")
    if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE or file.channels > 2:
        raise EngineFailed("The engine wrote audio of another form.", f"{file.samplerate} Hz, {file.channels} channels")


def _shaped(file: soundfile.SoundFile, seconds: float) -> Iterator[Samples]:
    total = min(round(seconds * RATE), file.frames * RATE // file.samplerate)
    is_cut = total < file.frames * RATE // file.samplerate
    start, peak = 0, 0.0
    for block in _resampled(file):
        kept = block[: total - start]
        if is_cut:
            left = total - np.arange(start, start + len(kept))
            kept = kept * np.clip(left / (FADE_SECONDS * RATE), 0, 1)[:, None].astype(np.float32)
        start += len(kept)
        peak = max(peak, float(np.abs(kept).max(initial=0.0)))
        if len(kept):
            yield kept
        if start >= total:
            break
    if not peak:
        raise EngineFailed("The engine made no sound.", f"{start} samples of silence")


def _resampled(file: soundfile.SoundFile) -> Iterator[Samples]:
    """Blocks of one second, each resampled together with as much of its neighbours as the filter reaches."""
    rate = file.samplerate
    common = gcd(rate, RATE)
    up, down = RATE // common, rate // common
    reach = down * -(-_HALF_FILTER * max(up, down) // (up * down))  # a multiple of `down`: whole samples on both sides
    before = np.zeros((0, 2), dtype=np.float32)
    block = _read(file, rate)
    while len(block):
        following = _read(file, rate)
        joined = np.concatenate((before, block, following[:reach]))
        out = joined if up == down else signal.resample_poly(joined, up, down, axis=0)
        first = len(before) * up // down
        yield np.asarray(out[first : first + len(block) * up // down], dtype=np.float32)
        before, block = block[-reach:], following


def _read(file: soundfile.SoundFile, count: int) -> Samples:
    """The next samples as two channels. Raises EngineFailed for numbers that are none."""
    read = file.read(count, dtype="float32", always_2d=True)
    if not np.isfinite(read).all():
        raise EngineFailed("The engine made broken audio.", "samples that are no numbers")
    return np.asarray(np.repeat(read, 2, axis=1) if read.shape[1] == 1 else read, dtype=np.float32)
