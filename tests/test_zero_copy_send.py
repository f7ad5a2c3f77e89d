"""Audio of a folder, sent by the server itself: from the page cache, from a disk that makes it wait, and elsewhere."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.audio import FileRange
from models.tracks import Track
from tools.testing.played import Played, noise, playing, sealed
from web.http import streaming
from web.server import zero_copy_send

CONTENT = noise(3_000_001)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with playing(tmp_path_factory.mktemp("played")) as running:
        yield running


@pytest.fixture(scope="module")
def track(played: Played) -> Track:
    return played.add(CONTENT)


def test_what_is_not_cached_is_read_in_a_thread(played: Played, track: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    pread, waits = os.pread, list[int]()

    def not_cached(*_arguments: object) -> int:
        raise BlockingIOError

    def waiting(descriptor: int, size: int, start: int) -> bytes:
        waits.append(start)
        return pread(descriptor, size, start)

    monkeypatch.setattr(os, "preadv", not_cached)
    monkeypatch.setattr(os, "pread", waiting)
    assert played.client.get(sealed(track.id)).content == CONTENT
    assert waits, "nothing was read in a thread"
    waits.clear()
    monkeypatch.setattr(zero_copy_send, "_NO_WAIT", None)
    assert played.client.get(sealed(track.id), headers={"Range": "bytes=3-899999"}).content == CONTENT[3:900_000]
    assert waits


def test_a_part_that_is_cached_is_enough(played: Played, track: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    preadv = os.preadv

    def partly(descriptor: int, buffers: list[memoryview], start: int, flags: int) -> int:
        return preadv(descriptor, [buffers[0][:10_000]], start, flags)

    monkeypatch.setattr(os, "preadv", partly)
    assert played.client.get(sealed(track.id)).content == CONTENT


def test_a_disk_that_fails_ends_the_connection(played: Played, track: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_arguments: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", failing)
    with pytest.raises(Exception, match=r"peer closed connection|Server disconnected"):
        played.client.get(sealed(track.id))


def test_a_server_that_reads_no_files_gets_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "audio").write_bytes(CONTENT)
    assert asyncio.run(_sent(tmp_path / "audio", 5, 2_500_000)) == CONTENT[5:2_500_000]


async def _sent(path: Path, start: int, end: int) -> bytes:
    """The body that an ASGI server without extensions is given."""
    sent, never = list[bytes](), asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(message["body"])

    async def receive() -> Any:
        await never.wait()

    with path.open("rb") as file:
        await streaming.send_pieces(iter([FileRange(file, start, end)]), {"extensions": {}}, receive, send)
    return b"".join(sent)
