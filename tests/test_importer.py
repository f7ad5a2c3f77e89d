"""Import of audio files: tracks with their audio, byte by byte; what is known, what hurts, what stops it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models import library, tracks
from models.audio_store import AudioStore
from models.db import migrate
from models.db.database import Database
from models.organizations import join
from models.tracks import Track
from ops import audio_files, importer
from ops.audio_decoding import Unreadable
from ops.audio_reader import AudioReader
from ops.errors import CommandError
from ops.importer import Importer
from tools.testing import databases, sounds
from tools.testing.cli_runner import Shell

ORGANIZATION, IDA, TOM = "org_music1", "ida", "tom"
WHO = ("--organization", ORGANIZATION, "--user", IDA)
MIB = 2**20
Start = Callable[..., Importer]


@pytest.fixture(scope="module")
def reader() -> Iterator[AudioReader]:
    with AudioReader() as shared:
        yield shared


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One short file of each format."""
    return sounds.write_all(tmp_path_factory.mktemp("tones"), seconds=0.5)


@pytest.fixture(params=databases.KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    with databases.fresh(request.param, tmp_path) as url:
        migrate.upgrade(url)
        with Database(url, pool_size=2) as opened, opened.use():
            for user in (IDA, TOM):
                join(ORGANIZATION, user)
            yield


@pytest.fixture
def store(tmp_path: Path) -> AudioStore:
    return AudioStore((tmp_path / "audio").as_uri())


@pytest.fixture
def start(database: None, store: AudioStore, reader: AudioReader, tmp_path: Path) -> Start:
    """Starts an import for a user, perhaps with a limit in MiB."""
    (tmp_path / "copies").mkdir()
    return lambda user=IDA, limit=0: Importer(ORGANIZATION, user, store, reader, tmp_path / "copies", limit)


def _import(importing: Importer, folder: Path) -> importer.Report:
    for path in audio_files.find(folder):
        importing.add(path)
    return importing.report


def _numbers(report: importer.Report) -> dict[str, int]:
    return {name: len(outcomes) for name, outcomes in report.facts().items() if outcomes}


def _reasons(report: importer.Report) -> dict[str, str | None]:
    return {Path(outcome.file).name: outcome.reason for outcome in report.skipped}


def _stored(store: AudioStore, track: Track) -> bytes:
    assert track.audio_name is not None
    path = store.path(track.audio_name)
    assert path is not None
    return path.read_bytes()


def _by_title() -> dict[str | None, Track]:
    return {track.title: track for track in tracks.list_all(ORGANIZATION)}


def test_each_file_becomes_a_track_with_its_bytes(start: Start, store: AudioStore, tones: dict[str, Path]) -> None:
    report = _import(start(), tones["tone.mp3"].parent)
    assert _numbers(report) == {"added": 6}
    found = _by_title()
    assert set(found) == {f"Ünï {name}" for name in tones}
    for name, path in tones.items():
        track = found[f"Ünï {name}"]
        assert _stored(store, track) == path.read_bytes()
        assert (track.audio_bytes, track.mime_type) == (path.stat().st_size, sounds.MIME_TYPES[name])
        assert (track.duration_ms, track.creator_id, track.engine, track.mode) == (500, IDA, "import", "creation")
        assert (track.licence_class, track.commercial_use, track.requires_attribution) == ("unclear", False, True)
        assert library.is_saved(ORGANIZATION, IDA, track)
        assert not library.is_saved(ORGANIZATION, TOM, track)
    assert {outcome.track_id for outcome in report.added} == {track.id for track in found.values()}


def test_a_second_import_adds_nothing(start: Start, store: AudioStore, tones: dict[str, Path]) -> None:
    folder = tones["tone.mp3"].parent
    _import(start(), folder)
    before, objects = tracks.list_all(ORGANIZATION), sorted(store.list())
    assert _numbers(_import(start(), folder)) == {"already_there": 6}
    assert (tracks.list_all(ORGANIZATION), sorted(store.list())) == (before, objects)


def test_a_copy_in_the_same_folder_is_one_track(start: Start, tones: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "music"
    (folder / "deep").mkdir(parents=True)
    for name in ("one.mp3", "deep/two.mp3"):
        (folder / name).write_bytes(tones["tone.mp3"].read_bytes())
    assert _numbers(_import(start(), folder)) == {"added": 1, "already_there": 1}


def test_a_second_user_gets_an_entry_to_the_same_track(start: Start, tones: dict[str, Path]) -> None:
    folder = tones["tone.mp3"].parent
    _import(start(), folder)
    report = _import(start(TOM), folder)
    assert _numbers(report) == {"saved": 6}
    found = tracks.list_all(ORGANIZATION)
    assert len(found) == 6
    assert all(library.is_saved(ORGANIZATION, TOM, track) and track.creator_id == IDA for track in found)
    assert {outcome.track_id for outcome in report.saved} == {track.id for track in found}
    assert _numbers(_import(start(TOM), folder)) == {"already_there": 6}


def test_a_track_without_audio_gets_it(start: Start, store: AudioStore, tones: dict[str, Path]) -> None:
    """As those have none that were imported before the service kept audio, or whose audio is lost."""
    _import(start(), tones["tone.mp3"].parent)
    before = tracks.list_all(ORGANIZATION)
    for track in before:
        assert track.audio_name is not None
        store.delete(track.audio_name)
    assert _numbers(_import(start(), tones["tone.mp3"].parent)) == {"completed": 6}
    after = tracks.list_all(ORGANIZATION)
    assert [track.id for track in after] == [track.id for track in before]
    assert all(_stored(store, track) for track in after)
    assert {track.audio_name for track in after}.isdisjoint(track.audio_name for track in before)


def test_the_limit_of_an_organization_stops_an_import_with_one_sentence(
    start: Start, store: AudioStore, tmp_path: Path
) -> None:
    """The files are taken in the order of their names; of each 0.7 MiB, one fits."""
    folder = tmp_path / "music"
    folder.mkdir()
    for name in ("1.wav", "2.wav"):
        sounds.write(folder / name, "tone.wav", 4.0, name)
    stopped = start(limit=1)
    with pytest.raises(CommandError, match=r"^The organization may have 1 MiB of audio, .*ORGANIZATION_AUDIO_MIB\.$"):
        _import(stopped, folder)
    assert _numbers(stopped.report) == {"added": 1}
    assert len(list(store.list())) == 1
    assert _numbers(_import(start(limit=2), folder)) == {"already_there": 1, "added": 1}
    assert _numbers(_import(start(limit=1), folder)) == {"already_there": 2}, "what is there needs no room"


def test_of_two_imports_of_one_file_one_adds_the_track(
    start: Start, store: AudioStore, tones: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tom's import is as far as the store when Ida's has already added the track."""
    write, path = store.write_file, tones["tone.mp3"]

    def write_after_ida(*arguments: Any) -> Any:
        monkeypatch.setattr(store, "write_file", write)
        start().add(path)
        return write(*arguments)

    monkeypatch.setattr(store, "write_file", write_after_ida)
    late = start(TOM)
    late.add(path)
    (track,) = tracks.list_all(ORGANIZATION)
    assert (track.creator_id, _numbers(late.report)) == (IDA, {"saved": 1})
    assert [stored.name for stored in store.list()] == [track.audio_name]


def test_titles_come_from_tags_or_from_names(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    names = {
        b"plain.wav": "plain",
        b"odd \xff\x01name.wav": "odd ? name",
        b"\x1b]0;x\x07.wav": "]0;x",
        b"\x7f.wav": "Untitled",
    }
    for pitch, name in enumerate(names):
        sounds.write(Path(os.fsdecode(bytes(folder) + b"/" + name)), "tone.wav", 0.1, hertz=300 + pitch)
    assert _numbers(_import(start(), folder)) == {"added": 4}
    assert {track.title for track in tracks.list_all(ORGANIZATION)} == set(names.values())


def test_what_is_no_file_is_skipped_and_the_rest_goes_on(start: Start, tones: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "music"
    (folder / "album").mkdir(parents=True)
    (folder / "linked.flac").symlink_to(tones["tone.flac"])
    os.mkfifo(folder / "pipe.mp3")
    (folder / "zero.mp3").symlink_to("/dev/zero")
    (folder / "loop.mp3").symlink_to("loop.mp3")
    (folder / "gone.mp3").symlink_to("nowhere.mp3")
    (folder / "up").symlink_to(folder)
    (folder / "empty.mp3").touch()
    (folder / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(2000))
    (folder / "album" / "cut.wav").write_bytes(tones["tone.wav"].read_bytes()[:20_000])
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        report = _import(start(), folder)
    assert _numbers(report) == {"added": 1, "skipped": 9}
    assert _reasons(report) == {
        "pipe.mp3": "a FIFO",
        "socket": "a socket",
        "zero.mp3": "a device",
        "loop.mp3": "cannot be opened: Too many levels of symbolic links",
        "gone.mp3": "cannot be opened: No such file or directory",
        "up": "a link to a folder, which is not followed",
        "empty.mp3": "empty",
        "cover.jpg": "not an audio file",
        "cut.wav": "cut off: what is there plays for 0.1 s",
    }


def test_a_file_that_changes_while_it_is_copied_is_skipped(tones: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "growing.wav"
    path.write_bytes(tones["tone.wav"].read_bytes())

    class Growing:
        def write(self, _piece: bytes) -> None:
            with path.open("ab") as file:
                file.write(b"more")

    with audio_files.opened(path) as source, pytest.raises(Unreadable, match=r"^changed while it was read"):
        audio_files.copy(source, Growing())  # type: ignore[arg-type] # it only has to write


def test_a_file_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_files, "LARGEST_BYTES", 3 * MIB)
    path = tmp_path / "sparse.wav"
    with path.open("wb") as file:
        file.truncate(4 * MIB)
    with audio_files.opened(path) as source, pytest.raises(Unreadable, match=r"^larger than"):
        audio_files.copy(source)


def test_missing_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"is not a folder"):
        audio_files.find(tmp_path / "nowhere")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    prepared = Shell(tmp_path, databases.sqlite_url(tmp_path))
    prepared.text("migrate")
    return prepared


def test_the_reports_of_the_command(shell: Shell, tones: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    (folder / "a.mp3").write_bytes(tones["tone.mp3"].read_bytes())
    (folder / "evil\x1b[2J\nskipped good.wav: fine").write_text("Not music.")
    report = shell.json("tracks", "import", str(folder), *WHO)
    assert {name: len(outcomes) for name, outcomes in report.items()} == {
        "added": 1, "completed": 0, "saved": 0, "already_there": 0, "skipped": 1
    }  # fmt: skip
    lines = shell.text("tracks", "import", str(folder), *WHO).splitlines()
    assert lines == [
        f"skipped {folder}/evil\\x1b[2J\\nskipped good.wav: fine: not an audio file",
        "0 added, 1 already there, 1 skipped",
    ]
    (listed,) = shell.json("tracks", "list", "--organization", ORGANIZATION)
    assert (listed["title"], listed["duration_ms"], listed["mime_type"]) == ("Ünï tone.mp3", 500, "audio/mpeg")
    others = shell.text("tracks", "import", str(folder), "--organization", ORGANIZATION, "--user", TOM).splitlines()
    assert others[-1] == "0 added, 1 of others saved, 0 already there, 1 skipped"


def test_an_import_past_the_limit_reports_what_it_did_and_fails(
    shell: Shell, tones: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    (folder / "1.mp3").write_bytes(tones["tone.mp3"].read_bytes())
    sounds.write(folder / "2.wav", "tone.wav", 8)  # 1.3 MiB
    done = shell.run("tracks", "import", str(folder), *WHO, "--json", MUSIC_STUDIO_ORGANIZATION_AUDIO_MIB="1")
    assert done.returncode == 1
    assert len(json.loads(done.stdout)["added"]) == 1
    assert done.stderr == (
        "music-studio: The organization may have 1 MiB of audio, and the next file would exceed it: "
        "delete tracks, or raise MUSIC_STUDIO_ORGANIZATION_AUDIO_MIB.\n"
    )


def test_wrong_usage_has_status_2_and_a_missing_store_1(shell: Shell, tones: dict[str, Path], tmp_path: Path) -> None:
    assert shell.run("tracks", "import", str(tmp_path)).returncode == 2
    (tmp_path / "file").touch()
    words, url = ("tracks", "import", str(tones["tone.mp3"].parent), *WHO), (tmp_path / "file" / "audio").as_uri()
    assert shell.error(*words, MUSIC_STUDIO_AUDIO_URL=url).startswith("music-studio: The audio store cannot be used: ")


def test_what_may_not_be_read_is_skipped() -> None:
    with tempfile.TemporaryDirectory() as folder, _as_nobody(Path(folder)):
        inner = Path(folder, "closed")
        inner.mkdir()
        (inner / "inner.mp3").touch()
        Path(folder, "closed.mp3").touch(mode=0)
        inner.chmod(0)
        found = audio_files.find(Path(folder))
        assert [path.name for path in found] == ["closed", "closed.mp3"]
        for path in found:
            with (
                pytest.raises(
                    Unreadable, match=r"^(a folder that cannot be read|cannot be opened: Permission denied)$"
                ),
                audio_files.opened(path),
            ):
                pass
        inner.chmod(0o700)


@contextlib.contextmanager
def _as_nobody(folder: Path) -> Iterator[None]:
    """Root may read everything: without its rights inside, in a folder of its own."""
    if os.geteuid() != 0:
        yield
        return
    os.chown(folder, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda sent: sent.name)
def test_an_import_that_was_interrupted_goes_on_where_it_was(
    shell: Shell, tones: dict[str, Path], tmp_path: Path, sent: signal.Signals
) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    for index in range(40):
        sounds.write(folder / f"{index:02}.flac", "tone.flac", 0.5, hertz=200 + index)
    words = [sys.executable, "-m", "cli", "tracks", "import", str(folder), *WHO]
    with subprocess.Popen(
        words, cwd=tmp_path, env=shell.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as one:
        while len(list((tmp_path / "audio").rglob("*.flac"))) < 5 and one.poll() is None:
            time.sleep(0.02)
        one.send_signal(sent)
        assert b"Traceback" not in one.communicate()[1]
    assert one.returncode != 0
    there = len(shell.json("tracks", "list", "--organization", ORGANIZATION))
    assert 0 < there < 40
    report = shell.json("tracks", "import", str(folder), *WHO)
    assert len(report["added"]) == 40 - there
    listed = shell.json("tracks", "list", "--organization", ORGANIZATION)
    assert {track["title"] for track in listed} == {f"{index:02}" for index in range(40)}


@pytest.mark.slow
def test_a_terminal_shows_progress(shell: Shell, tones: dict[str, Path]) -> None:
    screen = shell.on_terminal("tracks", "import", str(tones["tone.mp3"].parent), *WHO)
    assert "Importing" in screen
    assert "6 added, 0 already there, 0 skipped" in screen
