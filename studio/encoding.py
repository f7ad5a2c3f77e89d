"""Encodes blocks of samples as MP3, FLAC or WAV by libsndfile."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from studio.synthesis import RATE
from studio.synthesis.signals import Samples

MEDIA_TYPES = {"mp3": "audio/mpeg", "flac": "audio/flac", "wav": "audio/wav"}
_SUBTYPES = {"mp3": "MPEG_LAYER_III", "flac": "PCM_16", "wav": "PCM_16"}


def write(blocks: Iterator[Samples], path: Path) -> int:
    """Writes a file in the form of its suffix; returns the number of samples.

    Raises OSError when the disk is full, KeyError for another suffix.
    """
    form = path.suffix.lstrip(".")
    count = 0
    with (
        _disk_errors(path),
        soundfile.SoundFile(path, "w", RATE, 2, _SUBTYPES[form], format=form.upper()) as file,
    ):
        for block in blocks:
            _write(file, np.clip(block, -1.0, 1.0))
            count += len(block)
    return count


def _write(file: soundfile.SoundFile, block: Samples) -> None:
    try:
        file.write(block)
    except AssertionError as error:  # fewer samples were written than given
        raise OSError(errno.EIO, "not everything was written") from error


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """libsndfile says `System error` and not which; samples that can be encoded fail for no other reason."""
    try:
        yield
    except soundfile.LibsndfileError as error:
        raise OSError(errno.EIO, str(error), str(path)) from error
