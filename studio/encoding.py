"""Encodes blocks of samples as MP3, FLAC or WAV by libsndfile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from studio.synthesis import RATE
from studio.synthesis.signals import Samples

MEDIA_TYPES = {"mp3": "audio/mpeg", "flac": "audio/flac", "wav": "audio/wav"}
_SUBTYPES = {"mp3": "MPEG_LAYER_III", "flac": "PCM_16", "wav": "PCM_16"}


def write(blocks: Iterator[Samples], path: Path) -> int:
    """Writes a file in the form of its suffix; returns the number of samples. Raises KeyError for another suffix."""
    form = path.suffix.lstrip(".")
    count = 0
    with soundfile.SoundFile(path, "w", RATE, 2, _SUBTYPES[form], format=form.upper()) as file:
        for block in blocks:
            file.write(np.clip(block, -1.0, 1.0))
            count += len(block)
    return count
