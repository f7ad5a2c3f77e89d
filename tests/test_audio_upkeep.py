"""Audio and tracks stay together: missing audio is found, what no track names goes, and backups hold the rest."""

import os
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import bindparam, update

from models import organizations, track_audio, tracks
from models.access import Caller
from models.audio_store import AudioStore
from models.base import new_id, now
from models.db import connection
from models.schema import tracks as table
from models.tracks import Track
from ops import audio, maintenance
from tools.testing import databases
from tools.testing.cli_runner import Shell
from tools.testing.server_process import connected
from tools.testing.service import ALICE, AWAY, HOME, MALLORY

MIB = 1024 * 1024
OLD = 25 * 3600
DELETE_AT = update(table).where(table.c.id == bindparam("track")).values(deleted_at=bindparam("at"))


class Scene:
    """A migrated database, and a folder of audio beside it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.store = AudioStore(folder.as_uri())
        self.options = maintenance.AudioOptions(folder.as_uri(), 24, 900)

    def add(self, organization_id: str = HOME, content: bytes = b"sound", duration_ms: int = 1000) -> Track:
        """A new track with audio."""
        user_id = ALICE if organization_id == HOME else MALLORY
        organizations.join(organization_id, user_id)
        stored = self.store.write_bytes(organization_id, new_id("mtrack_"), "audio/mpeg", content)
        made = tracks.add(organization_id, user_id, title="Tone", duration_ms=duration_ms, audio=stored)
        assert made is not None
        return made

    def file(self, track: Track) -> Path:
        return self.folder / str(track.audio_name)

    def leave(self, count: int = 1, seconds: int = OLD, organization_id: str = HOME) -> list[Path]:
        """Objects of this age that no track names."""
        names = [
            self.store.write_bytes(organization_id, new_id("mtrack_"), "audio/flac", b"left").name for _ in range(count)
        ]
        files = [self.folder / name for name in names]
        for file in files:
            age(file, seconds)
        return files

    def maintain(self) -> None:
        maintenance.maintain(self.url, self.options)


def age(file: Path, seconds: float) -> None:
    moment = file.stat().st_mtime - seconds
    os.utime(file, (moment, moment))


@pytest.fixture(params=databases.KINDS)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    with databases.migrated(request.param, tmp_path) as url, connected(url):
        yield Scene(url, tmp_path / "audio")


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Scene]:
    with databases.migrated("sqlite", tmp_path) as url, connected(url):
        yield Scene(url, tmp_path / "audio")


def test_what_no_track_names_is_deleted_once_it_is_old(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "BATCH", 2)
    kept = [scene.add() for _ in range(5)] + [scene.add(AWAY)]
    for track in kept:
        age(scene.file(track), OLD)
    [young] = scene.leave(seconds=23 * 3600)
    old = scene.leave(2) + scene.leave(organization_id=AWAY) + scene.leave(organization_id="org_nobody")
    part = scene.file(kept[0]).with_name("mtrack_0123456789ab-01234567.mp3.part")
    part.write_bytes(b"so")
    age(part, OLD)
    scene.maintain()
    assert not [file for file in (*old, part) if file.exists()]
    assert young.exists()
    assert all(scene.file(track).exists() for track in kept)


def test_other_files_in_the_folder_are_never_touched(on_sqlite: Scene) -> None:
    for _ in range(3):
        on_sqlite.add()
    others = [on_sqlite.folder / name for name in ("song.mp3", "org_home1/song.mp3", f"{HOME}/mtrack_1-2.mp3", "a/b/c")]
    for other in others:
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_bytes(b"mine")
        age(other, OLD)
    assert audio.clean(on_sqlite.store, 0, everything=True).deleted == 0
    on_sqlite.maintain()
    assert all(other.exists() for other in others)


def test_the_store_of_another_database_is_kept(on_sqlite: Scene) -> None:
    """Two installations with one store by mistake: neither deletes the audio of the other."""
    for _ in range(3):
        on_sqlite.add()
    foreign = on_sqlite.leave(4)
    on_sqlite.maintain()
    assert all(file.exists() for file in foreign)
    assert audio.clean(on_sqlite.store, 24) == audio.Cleaned(0, 0, 4)
    assert audio.clean(on_sqlite.store, 24, everything=True) == audio.Cleaned(4, 16, 0)


def test_audio_of_a_deleted_track_goes_when_no_url_plays_it(scene: Scene) -> None:
    """A URL is valid for 900 s, or twice the duration of a longer track."""
    short, fresh, long, live = scene.add(), scene.add(), scene.add(duration_ms=1_000_000), scene.add()
    for track, seconds in ((short, 901), (fresh, 899), (long, 1999)):
        connection.execute(DELETE_AT, track=track.id, at=now() - timedelta(seconds=seconds))
    scene.maintain()
    assert [scene.file(track).exists() for track in (short, fresh, long, live)] == [False, True, True, True]
    assert track_audio.used_bytes(HOME) == 15
    connection.execute(DELETE_AT, track=long.id, at=now() - timedelta(seconds=2001))
    scene.maintain()
    assert not scene.file(long).exists()


def test_a_deleted_track_is_forgotten_before_its_audio(on_sqlite: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    track, _ = on_sqlite.add(), [on_sqlite.add() for _ in range(3)]
    caller = Caller(ALICE, frozenset({HOME}), frozenset(), None)
    tracks.delete(caller, HOME, track.id)
    connection.execute(DELETE_AT, track=track.id, at=now() - timedelta(hours=1))

    def killed(_store: AudioStore, _name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(AudioStore, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            audio.remove_deleted(on_sqlite.store, 900)
    assert on_sqlite.file(track).exists()
    assert track_audio.named(HOME, [str(track.audio_name)]) == set()
    age(on_sqlite.file(track), OLD)
    on_sqlite.maintain()
    assert not on_sqlite.file(track).exists()


def test_missing_and_damaged_audio_is_found(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_audio, "LIVE", track_audio.LIVE.limit(2))
    made = [scene.add() for _ in range(5)] + [scene.add(AWAY) for _ in range(2)]
    gone, short, away, deleted = made[1], made[3], made[5], made[2]
    for track in (gone, away, deleted):
        scene.file(track).unlink()
    scene.file(short).write_bytes(b"sou")
    connection.execute(DELETE_AT, track=deleted.id, at=now())
    assert {row.track_id for row in audio.find_missing(scene.store)} == {gone.id, short.id, away.id}
    scene.leave(3)
    found = audio.check(scene.store, 24)
    assert (found.tracks, found.missing.total, found.unnamed, found.unnamed_bytes) == (6, 3, 3, 12)


def test_bytes_of_an_organization_are_limited(scene: Scene) -> None:
    assert track_audio.used_bytes(HOME) == 0
    first = scene.add(content=b"a" * MIB)
    scene.add(AWAY, content=b"a" * MIB * 2)
    deleted = scene.add(content=b"b" * 100)
    connection.execute(DELETE_AT, track=deleted.id, at=now())
    assert track_audio.used_bytes(HOME) == MIB + 100, "deleted audio counts until it is removed"
    assert first.audio_bytes == MIB
    assert track_audio.has_room(HOME, 10**12, 0)
    assert track_audio.has_room(HOME, MIB - 100, 2)
    assert not track_audio.has_room(HOME, MIB - 99, 2)
    assert track_audio.has_room("org_new", MIB, 1)


def test_maintenance_goes_on_when_the_store_is_away(on_sqlite: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    on_sqlite.folder.rmdir()
    on_sqlite.folder.write_bytes(b"")
    on_sqlite.maintain()
    assert "maintenance of audio failed" in capsys.readouterr().out


class TestCommands:
    """Backup, restore, check and clean, on SQLite."""

    @pytest.fixture
    def shell(self, on_sqlite: Scene, tmp_path: Path) -> Shell:
        return Shell(tmp_path, on_sqlite.url)

    def test_backup_without_audio_says_so(self, shell: Shell, on_sqlite: Scene) -> None:
        on_sqlite.add()
        done = shell.run("backup", "copy.db")
        assert (done.returncode, "Audio is not in it: name a folder with --audio." in done.stderr) == (0, True)
        assert shell.json("backup", "other.db")["audio"] is None

    def test_backup_copies_what_is_new(self, shell: Shell, on_sqlite: Scene, tmp_path: Path) -> None:
        made, deleted = [on_sqlite.add(content=bytes([number] * 1000)) for number in range(3)], on_sqlite.add()
        connection.execute(DELETE_AT, track=deleted.id, at=now())
        first = shell.json("backup", "copy.db", "--audio", "kept")
        none = {"total": 0, "track_ids": []}
        assert first["audio"] == {"copied": 3, "copied_bytes": 3000, "already_there": 0, "missing": none}
        copies = [tmp_path / "kept" / str(track.audio_name) for track in made]
        assert [copy.read_bytes() for copy in copies] == [on_sqlite.file(track).read_bytes() for track in made]
        assert [f"{stat.S_IMODE(copy.stat().st_mode):o}" for copy in copies] == ["600"] * 3
        moments = [copy.stat().st_mtime_ns for copy in copies]
        copies[2].write_bytes(b"cut")
        another, lost = on_sqlite.add(), on_sqlite.add()
        on_sqlite.file(lost).unlink()
        second = shell.json("backup", "later.db", "--audio", "kept")["audio"]
        assert second == {"copied": 2, "copied_bytes": 1005, "already_there": 2,
                          "missing": {"total": 1, "track_ids": [lost.id]}}  # fmt: skip
        assert [copy.stat().st_mtime_ns for copy in copies[:2]] == moments[:2]
        assert copies[2].read_bytes() == on_sqlite.file(made[2]).read_bytes()
        assert (tmp_path / "kept" / str(another.audio_name)).exists()

    def test_backup_into_the_store_is_refused(self, shell: Shell, on_sqlite: Scene) -> None:
        on_sqlite.add()
        assert "is the audio store itself" in shell.error("backup", "copy.db", "--audio", "audio")

    def test_restore_lists_and_copies_what_is_missing(self, shell: Shell, on_sqlite: Scene) -> None:
        made = [on_sqlite.add() for _ in range(7)]
        shell.text("backup", "copy.db", "--audio", "kept")
        for track in made[1:]:
            on_sqlite.file(track).unlink()
        restore = ("restore", "copy.db", "--force", "--database-url", "sqlite:///restored.db")
        facts = shell.json(*restore)
        assert facts["missing_audio"]["total"] == 6
        assert set(facts["missing_audio"]["track_ids"]) < {track.id for track in made[1:]}
        done = shell.run(*restore)
        assert "6 tracks have no audio in the store: mtrack_" in done.stderr
        again = shell.json(
            "restore", "copy.db", "--force", "--database-url", "sqlite:///restored.db", "--audio", "kept"
        )
        assert (again["copied_audio"], again["missing_audio"]) == (6, {"total": 0, "track_ids": []})
        assert all(on_sqlite.file(track).read_bytes() == b"sound" for track in made)

    def test_restore_refuses_a_folder_that_is_none_before_it_begins(self, shell: Shell, on_sqlite: Scene) -> None:
        shell.text("backup", "copy.db")
        assert "is not a folder" in shell.error("restore", "copy.db", "--audio", "nowhere")

    def test_restore_ends_well_without_the_store(self, shell: Shell, on_sqlite: Scene, tmp_path: Path) -> None:
        on_sqlite.add()
        shell.text("backup", "copy.db")
        (tmp_path / "file").touch()
        away = {"MUSIC_STUDIO_AUDIO_URL": (tmp_path / "file").as_uri()}
        done = shell.run("restore", "copy.db", "--database-url", "sqlite:///restored.db", **away)
        assert (done.returncode, "The audio could not be compared with the tracks" in done.stderr) == (0, True)

    def test_check_and_clean(self, shell: Shell, on_sqlite: Scene) -> None:
        made = [on_sqlite.add() for _ in range(3)]
        assert "All 3 tracks with audio have it" in shell.run("audio", "check").stderr
        on_sqlite.leave(2)
        on_sqlite.file(made[0]).unlink()
        done = shell.run("audio", "check", "--json")
        assert done.returncode == 1
        assert '"unnamed": 2' in done.stdout
        assert shell.json("audio", "clean") == {"deleted": 2, "deleted_bytes": 8, "kept": 0}
        on_sqlite.leave(9)
        kept = shell.run("audio", "clean")
        assert (kept.returncode, "Add --all" in kept.stderr) == (1, True)
        assert shell.json("audio", "clean", "--all")["deleted"] == 9

    def test_audio_is_copied_without_the_database(self, shell: Shell, on_sqlite: Scene, tmp_path: Path) -> None:
        track = on_sqlite.add()
        assert shell.json("audio", "backup", "kept")["copied"] == 1
        assert (tmp_path / "kept" / str(track.audio_name)).read_bytes() == b"sound"

    def test_a_store_that_cannot_be_written_is_one_sentence(self, shell: Shell, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        for words in (("audio", "check"), ("serve", "--port", "0")):
            given = {"MUSIC_STUDIO_AUDIO_URL": f"{(tmp_path / 'file').as_uri()}/audio"}
            assert "The audio store cannot be used: /" in shell.error(*words, **given)
