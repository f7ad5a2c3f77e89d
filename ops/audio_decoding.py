"""Decodes an audio file to its end: its media type, its exact duration and its title.

PyAV reads all formats (the extra `audio`), libsndfile all but M4A (the extra `studio`). What a file says of itself is
not believed: the duration is the number of decoded samples. Runs in the child process of ops/audio_reader.py.
"""

from collections.abc import Callable
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from unicodedata import category

TITLE_LENGTH = 512
MAX_MS = 2**31 - 1
MOST_CHANNELS = 8
FORMATS = "MP3, FLAC, Ogg Vorbis, Opus, WAV or M4A"
INSTALL = "install music-studio[audio], or music-studio[studio] for all formats but M4A"
DECODERS = {"av": "ops.pyav_decoding", "soundfile": "ops.soundfile_decoding"}
_SIGNATURES = {0: (b"ID3", b"fLaC", b"OggS", b"RIFF"), 4: (b"ftyp",)}


class Unreadable(Exception):
    """A file that cannot be imported; the text is the reason."""


class Audio(NamedTuple):
    """What decoding has shown. `samples` of one channel; `title` is empty if the file has none."""

    mime_type: str
    duration: Fraction
    samples: int
    title: str

    @property
    def duration_ms(self) -> int:
        return round(self.duration * 1000)


Decoder = Callable[[Path], Audio]


def library() -> str | None:
    """The package of the best decoder that is installed, or None."""
    return next((package for package in DECODERS if find_spec(package)), None)


def decoder(package: str) -> Decoder:
    """The decoder that uses this package."""
    decode: Decoder = import_module(DECODERS[package]).decode
    return decode


def require_few_channels(channels: int) -> None:
    """Raises Unreadable for more channels than a player has."""
    if channels > MOST_CHANNELS:
        raise Unreadable(f"has {channels} channels, at most {MOST_CHANNELS} are played")


def refusal(path: Path) -> str:
    """The reason for a file that a decoder cannot open: damaged, if it begins like one of the formats."""
    with path.open("rb") as file:
        head = file.read(8)
    begins = any(head.startswith(texts, place) for place, texts in _SIGNATURES.items())
    return "damaged or cut off" if begins else "not an audio file"


def one_line(text: str) -> str:
    """The text without control characters, lone surrogates and line breaks, at most as long as a title may be."""
    valid = text.encode("utf-8", "replace").decode()
    return " ".join("".join(" " if category(char) == "Cc" else char for char in valid).split())[:TITLE_LENGTH].rstrip()
