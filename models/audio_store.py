"""The audio store: the bytes of tracks, kept in a folder, in S3 or in memory.

An object is written under a name of its own, and only then named by a row, in the transaction of the caller. So a row
never names what is not there, and what no row names was left over by something that was interrupted. An object never
changes: other audio has another name.

All calls except `read` block, and belong into a command, the worker or a thread, never on an event loop. Whatever goes
wrong is AudioUnavailable, but for an object that does not exist, which is NoAudio. Decision 73.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import structlog

from models.audio import EXTENSIONS, FileRange, StoredAudio, StoredObject, read_pieces
from models.audio_folder import Folder
from models.exceptions import AudioUnavailable

if TYPE_CHECKING:
    from models.audio_objects import Objects

__all__ = ["EXTENSIONS", "AudioStore", "StoredAudio", "StoredObject"]

PIECE_BYTES = 256 * 1024
_PROBE = b"can be written"
log = structlog.get_logger("models.audio_store")


class AudioStore:
    """An open audio store; `url` is `file:///FOLDER`, `s3://BUCKET/PREFIX` or `memory:///`.

    A folder is created with mode 0700, and its files have mode 0600. S3 finds its endpoint and credentials in the
    AWS_* variables. Raises AudioUnavailable, and ValueError for any other kind of URL.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._backend: Folder | Objects
        self._folder: Folder | None = None
        if parts.scheme == "file":
            self._backend = self._folder = Folder(Path(unquote(parts.path)))
        elif parts.scheme in {"s3", "memory"}:
            from models.audio_objects import Objects  # imports obstore, which a folder does not need

            self._backend = Objects(url)
        else:
            raise ValueError("An audio store is file:///FOLDER, s3://BUCKET/PREFIX or memory:///.")

    def write_file(self, organization_id: str, track_id: str, mime_type: str, path: Path) -> StoredAudio:
        """Stores a copy of a file under a new name. Raises AudioUnavailable, and OSError for the file itself."""
        with path.open("rb") as source:
            return self._write(organization_id, track_id, mime_type, read_pieces(source))

    def write_bytes(self, organization_id: str, track_id: str, mime_type: str, content: bytes) -> StoredAudio:
        """Stores bytes under a new name. Raises AudioUnavailable."""
        return self._write(organization_id, track_id, mime_type, iter([content]))

    def _write(self, organization_id: str, track_id: str, mime_type: str, pieces: Iterator[bytes]) -> StoredAudio:
        name = f"{organization_id}/{track_id}-{secrets.token_hex(4)}.{EXTENSIONS[mime_type]}"
        return StoredAudio(name, self._backend.put(name, pieces, mime_type), mime_type)

    async def read(
        self, name: str, start: int, end: int, piece_bytes: int = PIECE_BYTES
    ) -> AsyncGenerator[bytes | FileRange, None]:
        """The bytes [start, end) of an object: a part of a file, which is open until the end, or pieces of S3.

        Each piece has at most `piece_bytes`, and is fetched when it is asked for: no connection to S3 stays open,
        however slow the reader is. Raises NoAudio, and AudioUnavailable also for an object that is shorter.
        """
        async with aclosing(self._backend.read(name, start, end, min(piece_bytes, PIECE_BYTES))) as pieces:
            try:
                async for piece in pieces:
                    yield piece
                    del piece  # a client that reads slowly would keep it in memory
            except AudioUnavailable as failure:  # what a client is told has no reason in it
                log.warning("audio cannot be read", reason=failure.reason)
                raise

    def delete(self, name: str) -> None:
        """Deletes an object; one that does not exist is deleted already. Raises AudioUnavailable."""
        self._backend.delete(name)

    def list(self, organization_id: str = "") -> Iterator[StoredObject]:
        """All objects, or those of one organization, in no order. Raises AudioUnavailable."""
        return self._backend.list(organization_id)

    def size(self, name: str) -> int | None:
        """The size of an object in bytes, or None if it does not exist. Raises AudioUnavailable."""
        return self._backend.size(name)

    def exists(self, name: str) -> bool:
        """Whether there is an object of this name. Raises AudioUnavailable."""
        return self.size(name) is not None

    def signed_url(self, name: str, seconds: int) -> str:
        """A URL of S3 that gives the object to anybody for so many seconds. Raises ValueError for other stores."""
        return self._backend.signed_url(name, seconds)

    def path(self, name: str) -> Path | None:
        """The file of an object, if the store is a folder."""
        return None if self._folder is None else self._folder.path(name)

    def copy(self, name: str, target: AudioStore, mime_type: str) -> int:
        """Copies an object to another store, under the same name; returns its size.

        Raises NoAudio, AudioUnavailable.
        """
        return target._backend.put(name, self._backend.pieces(name), mime_type)

    def require_writable(self) -> None:
        """Writes, reads and deletes an object. Raises AudioUnavailable."""
        name = f"probe-{secrets.token_hex(4)}"
        self._backend.put(name, iter([_PROBE]), "audio/wav")
        if b"".join(self._backend.pieces(name)) != _PROBE:
            raise AudioUnavailable("it does not give back what was written")
        self._backend.delete(name)
