"""Finds the files below a folder, opens them without waiting for one, and copies them with their digest."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ops.audio_decoding import Unreadable
from ops.errors import CommandError

PIECE_BYTES = 2**20
# The most that a RIFF file can have.
LARGEST_BYTES = 2**32
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Copy(NamedTuple):
    """What was copied: the SHA-256 digest and the number of bytes."""

    digest: bytes
    size: int


def find(folder: Path) -> list[Path]:
    """All that is below `folder` and is no folder, and the folders that cannot be read; sorted.

    Links to folders are listed, and not followed. Raises CommandError if `folder` is not a folder.
    """
    if not folder.is_dir():
        raise CommandError(f"{folder} is not a folder: name a folder of audio files.")
    unreadable: list[Path] = []
    found: list[Path] = []
    for parent, folders, files in os.walk(folder, onerror=lambda error: unreadable.append(Path(error.filename))):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        found += (Path(parent, name) for name in (*files, *links))
    return sorted([*found, *unreadable])


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file, open for reading; a link is followed to a file. Raises Unreadable, also for what is no regular file."""
    try:
        _require_file(path.stat().st_mode, path)  # a device must not even be opened
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise Unreadable(f"cannot be opened: {error.strerror}") from error
    with open(descriptor, "rb", buffering=0) as file:
        _require_file(os.fstat(descriptor).st_mode, path)
        yield file


def copy(source: BinaryIO, to: BinaryIO | None = None) -> Copy:
    """Reads the file from its beginning, copies it if `to` is given, and returns the digest of what was read.

    Raises Unreadable (too large, empty, changed meanwhile), and OSError for `to`.
    """
    digest, size, before = hashlib.sha256(), 0, os.fstat(source.fileno())
    if before.st_size > LARGEST_BYTES:
        raise Unreadable(f"larger than {LARGEST_BYTES // 2**30} GiB")
    source.seek(0)
    while size <= before.st_size and (piece := _read(source)):  # one that grows while it is read has no end
        size += len(piece)
        digest.update(piece)
        if to is not None:
            to.write(piece)
    after = os.fstat(source.fileno())
    if (before.st_mtime_ns, before.st_size, size) != (after.st_mtime_ns, after.st_size, after.st_size):
        raise Unreadable("changed while it was read: import it again when it is finished")
    if not size:
        raise Unreadable("empty")
    return Copy(digest.digest(), size)


def _read(source: BinaryIO) -> bytes:
    try:
        return source.read(PIECE_BYTES)
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error


def _require_file(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise Unreadable(
            "a link to a folder, which is not followed" if path.is_symlink() else "a folder that cannot be read"
        )
    if not stat.S_ISREG(mode):
        raise Unreadable(_KINDS.get(stat.S_IFMT(mode), "not a file"))
