"""Whether an audio file ends where its own structure says; a decoder is content with the part that is there.

RIFF (WAV): the size of the chunk `data`. ISO 14496-12 (M4A): the sizes of the boxes. RFC 3533 (Ogg): the last page has
the flag "end of stream", and its position. RFC 9639 (FLAC): the number of samples in STREAMINFO. MP3: the numbers of
bytes and frames in the frame that Xing and LAME write first; without it nothing tells where an MP3 ends.
"""

import io
import struct
from collections.abc import Callable
from typing import BinaryIO

from ops.audio_decoding import Audio

# A page of Ogg has at most 27 + 255 + 255 * 255 bytes.
OGG_PAGE_BYTES = 65_307
_END_OF_STREAM = 4
_OGG_TOLERANCE_SECONDS = 0.1  # Opus skips up to 80 ms at the start
# The frame of Xing counts the audio; editors of tags change what follows it.
_MP3_TOLERANCE = 4096
_MP3_CUT_FRAMES = 5
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)  # of a WAV that was written into a pipe


def is_complete(file: BinaryIO, audio: Audio) -> bool:
    """Whether the file is whole; `audio` is what was decoded."""
    file.seek(_id3_bytes(file))
    return _CHECKS[audio.mime_type](file, audio)


def _id3_bytes(file: BinaryIO) -> int:
    """The length of the ID3v2 tag before the audio (ID3v2.4 section 3.1)."""
    file.seek(0)
    head = file.read(10)
    if len(head) < 10 or not head.startswith(b"ID3"):
        return 0
    footer = 10 if head[5] & 0x10 else 0
    return 10 + footer + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


def _wav(file: BinaryIO, _audio: Audio) -> bool:
    size = _size(file)
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, length = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"data":
            return length in _UNKNOWN_SIZES or file.tell() + length <= size
        file.seek(length + length % 2, io.SEEK_CUR)
    return False


def _mp4(file: BinaryIO, _audio: Audio) -> bool:
    size, start = _size(file), 0
    while start < size:
        file.seek(start)
        head = file.read(16)
        length = struct.unpack(">I", head[:4])[0] if len(head) >= 8 else 0
        if length == 1 and len(head) == 16:
            length = struct.unpack(">Q", head[8:])[0]
        elif length == 0 and len(head) >= 8:
            return True  # the last box reaches to the end of the file
        if length < 8:
            return False
        start += length
    return start == size


def _ogg(file: BinaryIO, audio: Audio) -> bool:
    """The flag, and no hole: the positions in the pages count samples, those of Opus at 48 kHz (RFC 7845 section 4)."""
    head = file.read(2 * OGG_PAGE_BYTES)
    file.seek(max(0, _size(file) - OGG_PAGE_BYTES))
    tail = file.read()
    start = tail.rfind(b"OggS")
    if start < 0 or not _is_whole_page(tail[start:]):
        return False
    rate = 48_000 if b"OpusHead" in head[:128] else audio.samples / audio.duration
    length = (_position(tail, start) - _first_position(head)) / rate
    return bool(tail[start + 5] & _END_OF_STREAM) and audio.duration >= length - _OGG_TOLERANCE_SECONDS


def _is_whole_page(page: bytes) -> bool:
    segments = page[27 : 27 + page[26]] if len(page) > 26 else b""
    return len(page) > 26 and len(segments) == page[26] and len(page) >= 27 + len(segments) + sum(segments)


def _first_position(head: bytes) -> int:
    """The position at the end of the first page with audio: the first that is not zero."""
    start = head.find(b"OggS")
    while 0 <= start < len(head) - 27:
        if (position := _position(head, start)) > 0:
            return position
        start = head.find(b"OggS", start + 4)
    return 0


def _position(pages: bytes, start: int) -> int:
    position: int = struct.unpack("<q", pages[start + 6 : start + 14])[0]
    return position


def _flac(file: BinaryIO, audio: Audio) -> bool:
    head = file.read(26)
    if len(head) < 26 or not head.startswith(b"fLaC"):
        return False
    declared = int.from_bytes(head[21:26], "big") & (2**36 - 1)
    return declared in (0, audio.samples)


def _mp3(file: BinaryIO, audio: Audio) -> bool:
    start = file.tell()
    first = file.read(256)
    found = max(first.find(b"Xing"), first.find(b"Info"))
    if found < 0 or len(first) < found + 16:
        return True
    flags, *numbers = struct.unpack(">3I", first[found + 4 : found + 16])
    frames = numbers[0] if flags & 1 else 0
    length = numbers[flags & 1] if flags & 2 else 0  # the number of frames stands first, if it is there
    # MPEG 1 has twice the samples in a frame of MPEG 2 and 2.5; encoders cut their delay and padding.
    expected = (frames - _MP3_CUT_FRAMES) * (1152 if first[1] & 0x08 else 576)
    return start + length <= _size(file) + _MP3_TOLERANCE and audio.samples >= expected


def _size(file: BinaryIO) -> int:
    here = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(here)
    return size


_CHECKS: dict[str, Callable[[BinaryIO, Audio], bool]] = {
    "audio/wav": _wav,
    "audio/mp4": _mp4,
    "audio/ogg": _ogg,
    "audio/flac": _flac,
    "audio/mpeg": _mp3,
}
