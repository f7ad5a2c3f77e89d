"""What a row knows of its audio: the object of the store that holds it, its size, and its media type."""

from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO, NamedTuple

# The extension of each media type, without the dot. Ogg holds Vorbis and Opus (RFC 5334, RFC 7845).
EXTENSIONS = {
    "audio/mpeg": "mp3",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/mp4": "m4a",
}


class StoredAudio(NamedTuple):
    """An audio file in the store: the name of its object, its size in bytes, and its media type."""

    name: str
    size: int
    mime_type: str


class StoredObject(NamedTuple):
    """An object of the store, which a row may name or not; `modified` is in UTC."""

    name: str
    size: int
    modified: datetime


def read_pieces(source: BinaryIO) -> Iterator[bytes]:
    """The rest of a file, in pieces of a MiB."""
    while piece := source.read(1024 * 1024):
        yield piece
