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


class FileRange(NamedTuple):
    """The bytes [start, end) of an open file, for a server that reads them itself."""

    file: BinaryIO
    start: int
    end: int


class StoredObject(NamedTuple):
    """An object of the store, which a row may name or not; `modified` is in UTC."""

    name: str
    size: int
    modified: datetime


def read_range(part: FileRange) -> Iterator[bytes]:
    """The bytes of a part of a file, in pieces of a MiB; fewer if the file is shorter."""
    part.file.seek(part.start)
    left = part.end - part.start
    while left and (piece := part.file.read(min(left, 1024 * 1024))):
        left -= len(piece)
        yield piece


def read_pieces(source: BinaryIO) -> Iterator[bytes]:
    """The rest of a file, in pieces of a MiB."""
    while piece := source.read(1024 * 1024):
        yield piece
