"""Import of audio files: titles, durations, duplicates, and skipped files with reasons."""

import json
import os
import struct
import subprocess
import sys
import wave
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from mutagen.aiff import AIFF
from mutagen.flac import FLAC
from mutagen.id3 import TIT2
from mutagen.wave import WAVE

from ops import importer, tag_reader
from ops.errors import CommandError
from tools.testing import databases

ROOT = Path(__file__).resolve().parents[1]
WHO = ("--organization", "org_music1", "--user", "ida")


# The tags of mutagen classes have no type annotations.
READERS: dict[str, Any] = {"wav": WAVE, "aiff": AIFF, "flac": FLAC}
TITLE_FRAME: Any = TIT2


def _tag(audio: Any, title: str) -> None:
    audio.add_tags()
    audio.tags.add(TITLE_FRAME(encoding=3, text=[title]))
    audio.save()


def _wav(path: Path, seconds: float, title: str | None = None, tone: int = 0) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(struct.pack("<h", tone) * int(8000 * seconds))
    if title is not None:
        _tag(READERS["wav"](path), title)


def _aiff(path: Path, seconds: float, title: str) -> None:
    rate = struct.pack(">HQ", 16383 + 12, 8000 << 51)  # 8000 as an 80-bit float
    common = b"COMM" + struct.pack(">IhLh", 18, 1, int(8000 * seconds), 16) + rate
    sound = bytes(int(16000 * seconds) + 8)
    body = b"AIFF" + common + b"SSND" + struct.pack(">I", len(sound)) + sound
    path.write_bytes(b"FORM" + struct.pack(">I", len(body)) + body)
    _tag(READERS["aiff"](path), title)


def _flac(path: Path, seconds: float, title: str) -> None:
    rate_channels_bits_samples = (8000 << 44) | (0 << 41) | (15 << 36) | int(8000 * seconds)
    facts = struct.pack(">HH", 4096, 4096) + bytes(6) + struct.pack(">Q", rate_channels_bits_samples) + bytes(16)
    path.write_bytes(b"fLaC" + b"\x80\x00\x00\x22" + facts)
    tagged = READERS["flac"](path)
    tagged["title"] = title
    tagged.save()


def _mp3(path: Path, frames: int) -> None:
    # MPEG 1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes and 1152 samples in a frame.
    path.write_bytes((b"\xff\xfb\x90\x00" + bytes(413)) * frames)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with several formats, subfolders, a duplicate, damaged files and other files."""
    folder = tmp_path / "music"
    (folder / "deep" / "er").mkdir(parents=True)
    _wav(folder / "plain.wav", 1.5)
    _wav(folder / "deep" / "tagged.wav", 0.25, "A title\nwith a break", tone=7)
    _aiff(folder / "deep" / "er" / "tone.aiff", 0.5, "Ünïcode 🎧")
    _flac(folder / "song.flac", 61.25, "Sixty-one seconds")
    _mp3(folder / "beep.mp3", 40)
    (folder / "copy of plain.wav").write_bytes((folder / "plain.wav").read_bytes())
    (folder / "broken.flac").write_bytes(b"fLaC\x00\x00")
    (folder / "broken.mp3").write_bytes(b"not an mp3 at all" * 40)
    (folder / "silent.wav").write_bytes(b"")
    _wav(folder / "nothing.wav", 0)
    (folder / "notes.txt").write_text("Not music.")
    return folder


@pytest.fixture(params=databases.KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with databases.fresh(request.param, tmp_path) as fresh:
        _cli(fresh, "migrate")
        yield fresh


def _cli(url: str, *words: str) -> str:
    variables = {"MUSIC_STUDIO_DATABASE_URL": url, "MUSIC_STUDIO_KEY_PEPPER": "pepper-of-the-tests-of-32-bytes-or-more"}
    done = subprocess.run(
        [sys.executable, "-m", "cli", *words],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _names(outcomes: list[dict[str, Any]]) -> set[str]:
    return {Path(one["file"]).name for one in outcomes}


@pytest.mark.slow
def test_folder_import_is_idempotent(url: str, music: Path) -> None:
    first = json.loads(_cli(url, "tracks", "import", str(music), *WHO, "--json"))
    assert _names(first["added"]) == {"beep.mp3", "copy of plain.wav", "song.flac", "tagged.wav", "tone.aiff"}
    assert _names(first["already_there"]) == {"plain.wav"}
    reasons = {Path(one["file"]).name: one["reason"] for one in first["skipped"]}
    assert set(reasons) == {"broken.flac", "broken.mp3", "silent.wav", "nothing.wav", "notes.txt"}
    assert reasons["notes.txt"] == "not an audio file"
    assert reasons["broken.flac"].startswith("damaged: ")
    assert reasons["nothing.wav"] == "contains no audio, or no duration"

    again = json.loads(_cli(url, "tracks", "import", str(music), *WHO, "--json"))
    assert again["added"] == []
    assert len(again["already_there"]) == 6
    assert again["skipped"] == first["skipped"]

    listed = json.loads(_cli(url, "tracks", "list", "--organization", "org_music1", "--json"))
    assert {(track["title"], track["duration_ms"]) for track in listed} == {
        ("beep", 1042),
        ("copy of plain", 1500),
        ("Sixty-one seconds", 61250),
        ("A title with a break", 250),
        ("Ünïcode 🎧", 500),
    }
    assert {track["creator_id"] for track in listed} == {"ida"}
    assert {track["id"] for track in listed} == {one["track_id"] for one in first["added"]}


@pytest.mark.slow
def test_text_report_lists_skipped_files_with_reasons(tmp_path: Path, music: Path) -> None:
    url = databases.sqlite_url(tmp_path)
    _cli(url, "migrate")
    lines = _cli(url, "tracks", "import", str(music), *WHO).splitlines()
    assert f"skipped {music / 'notes.txt'}: not an audio file" in lines
    assert lines[-1] == "5 added, 1 already there, 5 skipped"


def test_undecodable_file_name_gives_a_title(tmp_path: Path) -> None:
    path = Path(os.fsdecode(bytes(tmp_path) + b"/odd \xff\x01name.wav"))
    _wav(path, 0.1)
    assert tag_reader.read(path).title == "odd ? name"


def test_title_is_truncated_to_512_characters(tmp_path: Path) -> None:
    _wav(tmp_path / "long.wav", 0.1, "la" * 1000)
    assert len(tag_reader.read(tmp_path / "long.wav").title) == 512


def test_blank_title_falls_back_to_the_file_name(tmp_path: Path) -> None:
    _wav(tmp_path / "named.wav", 0.1, " \t ")
    assert tag_reader.read(tmp_path / "named.wav").title == "named"


def _bomb(path: Path, byte: bytes, megabytes: int) -> None:
    """An MP3 whose title is one byte, many times, in a compressed frame (ID3v2.4, sections 4.1.2 and 4.2)."""
    packer = zlib.compressobj(9)
    chunks = [packer.compress(b"\x03"), *(packer.compress(byte * 2**20) for _ in range(megabytes)), packer.flush()]
    frame = _synchsafe(megabytes * 2**20 + 1) + b"".join(chunks)
    tag = b"TIT2" + _synchsafe(len(frame)) + b"\x00\x09" + frame
    _mp3(path, 40)
    path.write_bytes(b"ID3\x04\x00\x00" + _synchsafe(len(tag)) + tag + path.read_bytes())


def _synchsafe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


@pytest.mark.parametrize(
    ("byte", "megabytes", "seconds", "survives"),
    [(b"\0", 20, 1.0, False), (b"a", 200, 30.0, True)],
    ids=["too slow", "too large"],
)
def test_a_tag_that_unpacks_without_end_is_skipped(
    tmp_path: Path, byte: bytes, megabytes: int, seconds: float, survives: bool
) -> None:
    bomb, song = tmp_path / "bomb.mp3", tmp_path / "song.wav"
    _bomb(bomb, byte, megabytes)
    _wav(song, 0.5, "Rain")
    with tag_reader.TagReader(seconds) as reader:
        for _ in range(2):
            assert reader.read(song) == ("Rain", 500)
            before = reader._child
            with pytest.raises(
                tag_reader.Unreadable, match=f"its tags could not be read within {seconds:g} s and 256 MiB"
            ):
                reader.read(bomb)
            assert (reader._child is before) is survives, "only a child that is too slow is killed"


def _spawned() -> set[psutil.Process]:
    """The children that multiprocessing has spawned, also for other tests."""
    return {child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())}


def test_one_child_reads_many_files(tmp_path: Path) -> None:
    _wav(tmp_path / "song.wav", 0.5, "Rain")
    before = _spawned()
    with tag_reader.TagReader() as reader:
        reader.read(tmp_path / "song.wav")
        children = _spawned()
        for _ in range(200):
            reader.read(tmp_path / "song.wav")
        assert _spawned() == children
        assert len(children - before) == 1
    assert not _spawned() - before


def test_a_reader_that_is_killed_is_replaced(tmp_path: Path) -> None:
    _wav(tmp_path / "song.wav", 0.5, "Rain")
    before = _spawned()
    with tag_reader.TagReader() as reader:
        reader.read(tmp_path / "song.wav")
        for child in _spawned() - before:
            child.kill()
        with pytest.raises(tag_reader.Unreadable):
            reader.read(tmp_path / "song.wav")
        assert reader.read(tmp_path / "song.wav").title == "Rain"


@pytest.mark.slow
def test_an_import_goes_on_after_a_tag_without_end(tmp_path: Path) -> None:
    url, folder = databases.sqlite_url(tmp_path), tmp_path / "music"
    folder.mkdir()
    _bomb(folder / "bomb.mp3", b"\0", 20)
    _wav(folder / "song.wav", 0.5, "Rain")
    _cli(url, "migrate")
    lines = _cli(url, "tracks", "import", str(folder), *WHO).splitlines()
    assert lines == [
        f"skipped {folder / 'bomb.mp3'}: its tags could not be read within 10 s and 256 MiB",
        "1 added, 0 already there, 1 skipped",
    ]


def test_missing_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is not a folder"):
        importer.files(tmp_path / "nowhere")
