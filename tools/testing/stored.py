"""Reads an object of the audio store."""

from __future__ import annotations

import asyncio

from models.audio import FileRange, read_range
from models.audio_store import PIECE_BYTES, AudioStore


def read(store: AudioStore, name: str, start: int, end: int, piece_bytes: int = PIECE_BYTES) -> list[bytes]:
    """The bytes [start, end) in the pieces that the store gives; a part of a file is one piece."""

    async def pieces() -> list[bytes]:
        return [content(piece) async for piece in store.read(name, start, end, piece_bytes)]

    return asyncio.run(pieces())


def content(piece: bytes | FileRange) -> bytes:
    """The bytes of a piece."""
    return b"".join(read_range(piece)) if isinstance(piece, FileRange) else piece
