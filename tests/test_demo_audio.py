"""The demo's tracks have audio: music of the engines, or tones of the same length."""

from pathlib import Path

import pytest

from mock.database import open_demo_database
from models import tracks
from models.audio_store import AudioStore
from ops import audio_decoding, audio_reader, demo, demo_audio
from tools.testing import databases
from tools.testing.cli_runner import Shell

DECODE = audio_decoding.decoder("soundfile")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    prepared = Shell(tmp_path, databases.sqlite_url(tmp_path))
    prepared.text("migrate")
    return prepared


def _objects(folder: Path) -> dict[str, Path]:
    """The file of each track in the store, by the track's id."""
    return {path.name.split("-")[0]: path for path in (folder / "audio").rglob("mtrack_*")}


def test_each_track_gets_a_tone_of_its_duration(shell: Shell, tmp_path: Path) -> None:
    shell.text("demo")
    listed = {track["id"]: track for track in shell.json("tracks", "list", "--organization", demo.ORGANIZATION)}
    objects = _objects(tmp_path)
    assert set(listed) == set(objects) == {piece.track_id for piece in demo.PIECES}
    for piece in demo.PIECES:
        described = audio_reader.read(objects[piece.track_id], DECODE)
        assert described == ("audio/wav", piece.seconds * 1000, "")
        assert listed[piece.track_id]["duration_ms"] == piece.seconds * 1000
        assert listed[piece.track_id]["audio_bytes"] == objects[piece.track_id].stat().st_size
    assert len({path.read_bytes() for path in objects.values()}) == len(demo.PIECES)


def test_a_second_run_makes_only_what_is_missing(shell: Shell, tmp_path: Path) -> None:
    shell.text("demo")
    before = _objects(tmp_path)
    lost = demo.PIECES[3].track_id
    before.pop(lost).unlink()
    shell.text("demo")
    after = _objects(tmp_path)
    assert after.pop(lost).is_file()
    assert after == before


def test_a_demo_without_audio_has_the_same_tracks(shell: Shell, tmp_path: Path) -> None:
    done = shell.run("demo", MUSIC_STUDIO_DEMO_AUDIO="none")
    assert (done.returncode, done.stderr) == (0, "")
    assert not _objects(tmp_path)
    assert len(shell.json("tracks", "list", "--organization", demo.ORGANIZATION)) == len(demo.PIECES)


def test_without_the_engines_one_sentence_says_so(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_audio, "find_spec", lambda package: None if package == "scipy" else True)
    done = shell.run("demo", MUSIC_STUDIO_DEMO_AUDIO="music")
    assert done.returncode == 0
    assert done.stderr == "The demo has no audio: the engines need the package scipy; install music-studio[studio].\n"
    assert not _objects(tmp_path)


def test_the_mock_has_tones_in_memory() -> None:
    store = AudioStore("memory:///")
    with open_demo_database(store).use():
        named = {track.audio_name: track.audio_bytes for track in tracks.list_all(demo.ORGANIZATION)}
    assert {stored.name: stored.size for stored in store.list()} == named
    assert len(named) == len(demo.PIECES)


@pytest.mark.slow
def test_music_has_the_durations_of_the_tracks_and_is_the_same_each_time(tmp_path: Path) -> None:
    pieces = [
        min(demo.PIECES, key=lambda piece: (piece.engine != engine, piece.seconds)) for engine in ("studio", "drift")
    ]
    made = {}
    for run in ("first", "second"):
        folder = tmp_path / run
        folder.mkdir()
        made[run] = {piece: path for piece, _, path, _ in demo_audio._pieces(pieces, folder)}
    for piece in pieces:
        described = audio_reader.read(made["first"][piece], DECODE)
        assert described == ("audio/mpeg", piece.seconds * 1000, "")
        assert made["first"][piece].read_bytes() == made["second"][piece].read_bytes()


@pytest.mark.slow
def test_a_terminal_shows_the_progress_of_the_demo(shell: Shell) -> None:
    assert "Making the demo's music" in shell.on_terminal("demo")
