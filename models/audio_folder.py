"""Audio in a folder of the file system.

Python's own calls, and not obstore's LocalStore, because files get mode 0600, a written file survives a power failure,
what an interrupted write left behind can be listed, and a piece that the kernel has cached is read without a thread.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from models.audio import FileRange, StoredObject, read_pieces
from models.exceptions import AudioUnavailable, NoAudio

PART = ".part"  # of a file that is being written


class Folder:
    """A folder with one file per object, made with mode 0700. Raises AudioUnavailable."""

    def __init__(self, root: Path) -> None:
        self._root = root
        with _translated_errors():
            root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """The file of an object."""
        return self._root / name

    def put(self, name: str, pieces: Iterator[bytes], _mime_type: str) -> int:
        """Writes an object: it is there as a whole, on the disk, or not at all; returns its size."""
        path = self.path(name)
        part = path.with_name(path.name + PART)
        with _translated_errors():
            if path.parent != self._root and not path.parent.is_dir():
                path.parent.mkdir(mode=0o700, exist_ok=True)  # not the root, which would hide that its mount is lost
                _flush_folder(self._root)
            try:
                size = _write(part, pieces)
                part.replace(path)
                _flush_folder(path.parent)
            finally:
                part.unlink(missing_ok=True)
        return size

    async def read(self, name: str, start: int, end: int, _piece_bytes: int) -> AsyncGenerator[FileRange, None]:
        """The bytes [start, end) as a part of the file, which is open until the generator is closed."""
        opening = asyncio.ensure_future(asyncio.to_thread(self._open, name, end))
        try:
            yield FileRange(await asyncio.shield(opening), start, end)
        finally:
            if opening.done():
                _close(opening)
            else:  # this task was cancelled
                opening.add_done_callback(_close)

    def _open(self, name: str, end: int) -> BinaryIO:
        with self._found(name):
            file = self.path(name).open("rb", 0)
        if os.fstat(file.fileno()).st_size < end:
            file.close()
            raise AudioUnavailable(f"the file {name} is shorter than it was")
        return file

    def pieces(self, name: str) -> Iterator[bytes]:
        """The whole object in pieces."""
        with self._found(name), self.path(name).open("rb") as file:
            yield from read_pieces(file)

    def delete(self, name: str) -> None:
        """Deletes an object, if it is there."""
        with _translated_errors():
            self.path(name).unlink(missing_ok=True)

    def list(self, organization_id: str) -> Iterator[StoredObject]:
        """All files, or those of one organization; also what an interrupted write left behind."""
        with _translated_errors():
            if not self._root.is_dir():
                raise AudioUnavailable(f"there is no folder {self._root}")
            for found in (self._root / organization_id).rglob("*"):
                with suppress(FileNotFoundError):  # deleted meanwhile
                    if not found.is_dir():
                        yield self._object(found)

    def _object(self, path: Path) -> StoredObject:
        status = path.stat(follow_symlinks=False)
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
        return StoredObject(path.relative_to(self._root).as_posix(), status.st_size, modified)

    def size(self, name: str) -> int | None:
        """The size of an object, or None."""
        try:
            with self._found(name):
                return self.path(name).stat().st_size
        except NoAudio:
            return None

    def signed_url(self, _name: str, _seconds: int) -> str:
        """A folder has none."""
        raise ValueError("A folder gives no signed URLs.")

    @contextmanager
    def _found(self, name: str) -> Iterator[None]:
        """Raises NoAudio for a file that is missing, but not if the whole folder is, as with a lost mount."""
        with _translated_errors():
            try:
                yield
            except FileNotFoundError:
                if not self._root.is_dir():
                    raise
                raise NoAudio("Audio not found") from None


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = (error.strerror or type(error).__name__).lower()
        raise AudioUnavailable(f"{error.filename}: {what}" if error.filename else what) from error


def _write(part: Path, pieces: Iterator[bytes]) -> int:
    with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _close(opening: asyncio.Future[BinaryIO]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _flush_folder(folder: Path) -> None:
    """Puts the name of a new file on the disk; without it a power failure may lose the file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
