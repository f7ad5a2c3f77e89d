"""Decodes MP3, FLAC, Ogg Vorbis, Opus and WAV by libsndfile."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

from ops.audio_decoding import FORMATS, Audio, Unreadable, one_line, refusal, require_few_channels

# By format and subtypes, as libsndfile names them.
_PCM = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "ALAW", "ULAW")
MIME_TYPES = {
    "MP3": ("audio/mpeg", ("MPEG_LAYER_III",)),
    "FLAC": ("audio/flac", ("PCM_S8", "PCM_16", "PCM_24")),
    "OGG": ("audio/ogg", ("VORBIS", "OPUS")),
    "WAV": ("audio/wav", _PCM),
    "WAVEX": ("audio/wav", _PCM),
}
BLOCK_BYTES = 2**20
_SAMPLE_BYTES = 2


def decode(path: Path) -> Audio:
    """The audio of a file. Raises Unreadable."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's, which count against the memory limit unused
    import soundfile

    _require_no_mp4(path)
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        raise Unreadable(refusal(path)) from error
    try:
        with file:
            return _decode(file)
    except soundfile.LibsndfileError as error:
        raise Unreadable(f"damaged: {one_line(error.error_string)}") from error


def _decode(file: Any) -> Audio:
    mime_type, subtypes = MIME_TYPES.get(file.format, ("", ()))
    if file.subtype not in subtypes:
        raise Unreadable(f"not {FORMATS}")
    require_few_channels(file.channels)
    samples = _count(file)
    return Audio(mime_type, Fraction(samples, file.samplerate), samples, one_line(file.title or ""))


def _count(file: Any) -> int:
    """The number of samples of one channel that can be decoded."""
    block = bytearray(max(1, BLOCK_BYTES // (file.channels * _SAMPLE_BYTES)) * file.channels * _SAMPLE_BYTES)
    samples = 0
    while read := file.buffer_read_into(block, dtype="int16"):
        samples += read
    return samples


def _require_no_mp4(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(8)[4:] == b"ftyp":
            raise Unreadable("M4A needs the package av: install music-studio[audio]")
