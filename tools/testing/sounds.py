"""Audio files for tests, encoded by PyAV and libsndfile: a tone of 440 Hz at 44.1 kHz (Opus: 48 kHz), stereo."""

import math
from pathlib import Path

import av
import numpy as np
import soundfile
from av.audio.stream import AudioStream
from av.container import OutputContainer

HERTZ = 440
BLOCK = 1024
# File name, codec and format as FFmpeg names them, sample rate; what has no codec here is written by libsndfile.
FORMATS = {
    "tone.mp3": ("libmp3lame", "mp3", 44_100),
    "tone.flac": ("flac", "flac", 44_100),
    "tone.ogg": ("", "OGG", 44_100),
    "tone.opus": ("libopus", "ogg", 48_000),
    "tone.wav": ("pcm_s16le", "wav", 44_100),
    "tone.m4a": ("aac", "ipod", 44_100),
}
MIME_TYPES = {
    "tone.mp3": "audio/mpeg",
    "tone.flac": "audio/flac",
    "tone.ogg": "audio/ogg",
    "tone.opus": "audio/ogg",
    "tone.wav": "audio/wav",
    "tone.m4a": "audio/mp4",
}


def write(path: Path, like: str, seconds: float = 1.0, title: str = "", hertz: int = HERTZ) -> Path:
    """Writes a tone in the format of one of FORMATS."""
    codec, form, rate = FORMATS[like]
    if codec:
        encode(path, codec, form, seconds, rate, title, hertz)
    else:
        _write_vorbis(path, seconds, rate, title, hertz)
    return path


def encode(path: Path, codec: str, form: str, seconds: float, rate: int, title: str = "", hertz: int = HERTZ) -> None:
    """Writes a tone by an encoder of FFmpeg."""
    with av.open(str(path), "w", format=form) as container:
        if title:
            container.metadata["title"] = title
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        assert isinstance(stream, AudioStream)
        fill(container, stream, seconds, rate, hertz)


def fill(container: OutputContainer, stream: AudioStream, seconds: float, rate: int, hertz: int = HERTZ) -> None:
    """Encodes a tone as an audio stream of the container."""
    samples = _tone(seconds, rate, hertz)
    for start in range(0, len(samples), BLOCK):
        container.mux(stream.encode(_frame(samples[start : start + BLOCK], rate, start)))
    container.mux(stream.encode(None))


def write_all(folder: Path, seconds: float = 1.0) -> dict[str, Path]:
    """One file of each format, each of another pitch, with its name as its title."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        name: write(folder / name, name, seconds, f"Ünï {name}", HERTZ + 10 * index)
        for index, name in enumerate(FORMATS)
    }


def _tone(seconds: float, rate: int, hertz: int) -> "np.ndarray[tuple[int, int], np.dtype[np.int16]]":
    times = np.arange(round(seconds * rate)) / rate
    wave = np.round(8000 * np.sin(2 * math.pi * hertz * times)).astype(np.int16)
    return np.stack([wave, wave], axis=1)


def _frame(samples: "np.ndarray[tuple[int, int], np.dtype[np.int16]]", rate: int, start: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate, frame.pts = rate, start
    return frame


def _write_vorbis(path: Path, seconds: float, rate: int, title: str, hertz: int) -> None:
    samples = _tone(seconds, rate, hertz)
    with soundfile.SoundFile(path, "w", rate, 2, "VORBIS", format="OGG") as file:
        file.title = title or ""
        for start in range(0, len(samples), BLOCK):  # libsndfile crashes on one large write
            file.write(samples[start : start + BLOCK])
