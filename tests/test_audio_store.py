"""The audio store on a folder and in memory: names, pieces, lists, modes of files, and failures of the system."""

import asyncio
import errno
import os
import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.audio_store import EXTENSIONS, AudioStore, StoredAudio
from models.exceptions import AudioUnavailable, NoAudio
from tools.testing.service import AWAY, HOME
from tools.testing.stored import read

TRACK = "mtrack_0123456789ab"
MIB = 1024 * 1024
CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes, no multiple of a piece


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> AudioStore:
    return AudioStore((tmp_path / "audio").as_uri() if request.param == "file" else "memory:///")


@pytest.fixture
def folder(tmp_path: Path) -> AudioStore:
    return AudioStore((tmp_path / "audio").as_uri())


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def names(store: AudioStore, organization_id: str = "") -> set[str]:
    return {found.name for found in store.list(organization_id)}


@pytest.mark.parametrize("mime_type", EXTENSIONS)
def test_what_is_written_is_read_and_listed(store: AudioStore, mime_type: str) -> None:
    stored = store.write_bytes(HOME, TRACK, mime_type, CONTENT)
    assert re.fullmatch(rf"{HOME}/{TRACK}-[0-9a-f]{{8}}\.{EXTENSIONS[mime_type]}", stored.name)
    assert stored == StoredAudio(stored.name, len(CONTENT), mime_type)
    assert b"".join(read(store, stored.name, 0, len(CONTENT))) == CONTENT
    (found,) = store.list()
    assert (found.name, found.size) == (stored.name, len(CONTENT))
    assert timedelta(0) <= datetime.now(UTC) - found.modified + timedelta(seconds=2) < timedelta(minutes=5)
    assert (store.exists(stored.name), store.size(stored.name)) == (True, len(CONTENT))


def test_a_file_is_copied(store: AudioStore, tmp_path: Path) -> None:
    source = tmp_path / "source.flac"
    source.write_bytes(CONTENT * 11)  # more than one part of an upload
    stored = store.write_file(HOME, TRACK, "audio/flac", source)
    assert stored.size == len(CONTENT) * 11
    assert b"".join(read(store, stored.name, 0, stored.size)) == CONTENT * 11
    with pytest.raises(FileNotFoundError):
        store.write_file(HOME, TRACK, "audio/flac", tmp_path / "nothing.flac")


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 0), (0, 1), (5, 6), (1023_999, 1024_000), (0, 262_144), (1, 262_146), (262_143, 800_001), (7, 1024_000)],
)
@pytest.mark.parametrize("piece_bytes", [1000, 65_536, 10 * MIB])
def test_a_range_comes_in_pieces(store: AudioStore, start: int, end: int, piece_bytes: int) -> None:
    stored = store.write_bytes(HOME, TRACK, "audio/wav", CONTENT)
    pieces = read(store, stored.name, start, end, piece_bytes)
    assert b"".join(pieces) == CONTENT[start:end]
    if store.path(stored.name) is None:
        assert all(0 < len(piece) <= min(piece_bytes, 256 * 1024) for piece in pieces)


def test_each_write_has_a_name_of_its_own(store: AudioStore) -> None:
    written = [store.write_bytes(HOME, TRACK, "audio/mpeg", content) for content in (b"one", b"two", b"")]
    away = store.write_bytes(AWAY, TRACK, "audio/mpeg", b"away")
    assert len({stored.name for stored in (*written, away)}) == 4
    assert [b"".join(read(store, stored.name, 0, stored.size)) for stored in written] == [b"one", b"two", b""]
    assert names(store) == {stored.name for stored in (*written, away)}
    assert names(store, AWAY) == {away.name}
    assert names(store, "org_nobody") == set()


def test_a_deleted_object_is_gone(store: AudioStore) -> None:
    kept, gone = (store.write_bytes(HOME, TRACK, "audio/ogg", b"sound") for _ in range(2))
    store.delete(gone.name)
    store.delete(gone.name)
    assert names(store) == {kept.name}
    assert (store.exists(gone.name), store.size(gone.name)) == (False, None)
    with pytest.raises(NoAudio):
        read(store, gone.name, 0, 5)


def test_an_object_that_is_shorter_than_its_row_says_is_unavailable(store: AudioStore) -> None:
    stored = store.write_bytes(HOME, TRACK, "audio/mp4", b"short")
    for start, end in ((0, 6), (3, 10), (5, 6), (100, 200)):
        with pytest.raises(AudioUnavailable):
            read(store, stored.name, start, end)


def test_an_object_is_copied_to_another_store(store: AudioStore, tmp_path: Path) -> None:
    target = AudioStore((tmp_path / "copy").as_uri())
    stored = store.write_bytes(HOME, TRACK, "audio/mpeg", CONTENT)
    assert store.copy(stored.name, target, "audio/mpeg") == len(CONTENT)
    assert b"".join(read(target, stored.name, 0, stored.size)) == CONTENT
    with pytest.raises(NoAudio):
        store.copy(f"{HOME}/nothing.mp3", target, "audio/mpeg")
    assert names(target) == {stored.name}


def test_a_store_proves_that_it_can_be_written(store: AudioStore) -> None:
    store.require_writable()
    assert names(store) == set()


def test_only_a_folder_has_paths_and_only_s3_signs(store: AudioStore, tmp_path: Path) -> None:
    stored = store.write_bytes(HOME, TRACK, "audio/mpeg", b"sound")
    path = store.path(stored.name)
    assert path is None or path.read_bytes() == b"sound"
    assert (path is None) == (not (tmp_path / "audio").exists())
    with pytest.raises(ValueError, match="no signed URLs"):
        store.signed_url(stored.name, 60)


@pytest.mark.parametrize("url", ["", "audio", "/srv/audio", "gs://bucket", "http://127.0.0.1/audio", "s4://bucket"])
def test_no_other_store_is_opened(url: str) -> None:
    with pytest.raises(ValueError, match="An audio store is"):
        AudioStore(url)


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    root = tmp_path / "a b%20ü#?"
    stored = AudioStore(root.as_uri()).write_bytes(HOME, TRACK, "audio/mpeg", b"sound")
    assert (root / stored.name).read_bytes() == b"sound"


def test_files_are_for_their_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = AudioStore((tmp_path / "audio").as_uri())
        stored = store.write_bytes(HOME, TRACK, "audio/mpeg", b"sound")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / "audio" / name).stat().st_mode) for name in ("", HOME, stored.name)]
    assert [f"{mode:o}" for mode in modes] == ["700", "700", "600"]


def test_a_failed_write_leaves_nothing(folder: AudioStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AudioUnavailable) as failure:
        folder.write_bytes(HOME, TRACK, "audio/mpeg", b"sound")
    assert failure.value.reason == "no space left on device"
    assert failure.value.system_message == "The audio store is not available"
    assert names(folder) == set()


def test_an_interrupted_write_is_listed(folder: AudioStore, tmp_path: Path) -> None:
    stored = folder.write_bytes(HOME, TRACK, "audio/mpeg", b"sound")
    left = tmp_path / "audio" / f"{stored.name}.part"
    left.write_bytes(b"so")
    assert names(folder) == {stored.name, f"{stored.name}.part"}
    folder.delete(f"{stored.name}.part")
    assert not left.exists()


def _is_a_file(root: Path) -> None:
    root.rmdir()
    root.write_bytes(b"")


OPERATIONS: dict[str, Callable[[AudioStore, str], object]] = {
    "write": lambda store, _name: store.write_bytes(HOME, TRACK, "audio/mpeg", b"sound"),
    "read": lambda store, name: read(store, name, 0, 5),
    "copy": lambda store, name: store.copy(name, AudioStore("memory:///"), "audio/mpeg"),
    "list": lambda store, _name: list(store.list()),
    "size": lambda store, name: store.size(name),
    "probe": lambda store, _name: store.require_writable(),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("harm", [Path.rmdir, _is_a_file], ids=["gone", "a file"])
def test_a_lost_folder_is_unavailable_and_no_missing_audio(
    folder: AudioStore, tmp_path: Path, harm: Callable[[Path], None], operation: str
) -> None:
    harm(tmp_path / "audio")
    with pytest.raises(AudioUnavailable):
        OPERATIONS[operation](folder, f"{HOME}/{TRACK}-00000000.mp3")


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null/audio"])
def test_a_folder_that_cannot_be_made_is_unavailable(place: str) -> None:
    with pytest.raises(AudioUnavailable) as failure:
        AudioStore(f"file://{place}")
    assert failure.value.reason.startswith("/")


def test_a_reader_has_one_open_file_until_it_ends_or_is_left(folder: AudioStore) -> None:
    stored = folder.write_bytes(HOME, TRACK, "audio/wav", CONTENT)

    async def counted() -> list[int]:
        counts = [open_files()]
        readers = [folder.read(stored.name, 0, stored.size, 1000) for _ in range(50)]
        for reader in readers:
            await anext(reader)
        counts.append(open_files())
        for reader in readers[:25]:
            await reader.aclose()
        for reader in readers[25:]:
            assert [piece async for piece in reader] == []
        return [*counts, open_files()]

    before, meanwhile, after = asyncio.run(counted())
    assert (meanwhile, after) == (before + 50, before)
