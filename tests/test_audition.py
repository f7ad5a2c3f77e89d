"""The command `studio audition`: one piece from a sentence, with its picture and its score."""

from pathlib import Path

import mido
import pytest
import soundfile
from PIL import Image

from tools.testing.cli_runner import Shell


def test_audition_writes_music_picture_and_score(sqlite: Shell, tmp_path: Path) -> None:
    music, picture, midi = tmp_path / "a.mp3", tmp_path / "a.png", tmp_path / "a.mid"
    more = ("--output", str(music), "--picture", str(picture), "--midi", str(midi), "--seconds", "4", "--seed", "3")
    facts = sqlite.json("studio", "audition", "waltz in D minor, 120 bpm", *more)
    assert (facts["tempo"], facts["key"], facts["seed"]) == (120, "D minor", 3)
    assert abs(soundfile.info(music).duration - 4) < 0.1
    with Image.open(picture) as image:
        assert image.width == 900
    assert mido.MidiFile(midi).length > 2


def test_the_same_sentence_and_seed_give_the_same_piece(sqlite: Shell, tmp_path: Path) -> None:
    one, again = tmp_path / "one.wav", tmp_path / "again.wav"
    for file in (one, again):
        sqlite.text("studio", "audition", "calm", "-o", str(file), "--seconds", "2", "--seed", "7")
    assert one.read_bytes() == again.read_bytes()


def test_an_unknown_engine_is_named(sqlite: Shell) -> None:
    message = sqlite.error("studio", "audition", "x", "--engine", "organ")
    assert "There is no engine 'organ': choose studio or drift." in message


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("--output", "a.ogg", "must end in .mp3, .flac, .wav"), ("--seconds", "601", "less than or equal to 600")],
)
def test_options_outside_of_the_limits_are_refused(sqlite: Shell, option: str, value: str, message: str) -> None:
    done = sqlite.run("studio", "audition", "x", option, value)
    assert done.returncode == 2
    assert message in done.stderr
