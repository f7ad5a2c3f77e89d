"""The brief: what is read from a prompt, in three languages, and what follows from its words."""

import pytest

from studio import brief


@pytest.mark.parametrize(
    ("prompt", "tempo"),
    [("a song at 90 bpm", 90), ("120BPM please", 120), ("999 bpm", 200), ("10 bpm", 40), ("96 Schläge pro Minute", 96)],
)
def test_a_tempo_in_the_prompt_is_taken(prompt: str, tempo: float) -> None:
    assert brief.read(prompt, 30).tempo == tempo


@pytest.mark.parametrize(
    ("prompt", "tonic", "scale"),
    [
        ("piano in D minor", 2, "minor"),
        ("in F# major", 6, "major"),
        ("Klavier in B-Moll", 11, "minor"),
        ("in Eb dorian", 3, "dorian"),
        ("a fis-moll waltz", None, "minor"),
    ],
)
def test_a_key_in_the_prompt_is_taken(prompt: str, tonic: int | None, scale: str) -> None:
    found = brief.read(prompt, 30)
    assert found.scale == scale
    assert tonic is None or found.tonic == tonic


@pytest.mark.parametrize("prompt", ["waltz", "a Walzer", "in 3/4", "valse triste", "a song in 6/8"])
def test_metres_of_three_are_understood(prompt: str) -> None:
    assert brief.read(prompt, 30).beats_per_bar == 3


@pytest.mark.parametrize(
    "prompt", ["rock without drums", "house, no drums", "Rock ohne Schlagzeug", "rock sans batterie"]
)
def test_a_refused_instrument_stays_away(prompt: str) -> None:
    assert brief.read("rock", 30).drums
    assert not brief.read(prompt, 30).drums


def test_named_instruments_come_first() -> None:
    assert brief.read("Geige und Harfe", 30).instruments[:2] == ("strings", "harp")
    assert "piano" not in brief.read("jazz no piano", 30).instruments


@pytest.mark.parametrize(
    ("calm", "driving"), [("calm", "energetic"), ("ruhig", "energisch"), ("calme", "énergique")], ids=["en", "de", "fr"]
)
def test_moods_are_understood_in_three_languages(calm: str, driving: str) -> None:
    slow, fast = brief.read(calm, 30), brief.read(driving, 30)
    assert slow.energy < 0 < fast.energy
    assert slow.tempo < fast.tempo


def test_dark_words_give_dark_scales() -> None:
    assert {brief.read(word, 30).scale for word in ("sad", "dunkel", "sombre", "melancholy")} <= {
        "minor",
        "dorian",
        "phrygian",
    }


def test_one_prompt_with_two_seeds_is_kin_and_not_equal() -> None:
    one, other = (brief.read("something of mine", 30, seed=seed) for seed in (1, 2))
    assert (one.tempo, one.tonic, one.scale, one.instruments) == (
        other.tempo,
        other.tonic,
        other.scale,
        other.instruments,
    )
    assert one.seed != other.seed


def test_tags_are_read_as_the_prompt_is() -> None:
    assert brief.read("", 30, tags=("lofi", "rhodes")).drums == "lofi"


@pytest.mark.parametrize("prompt", ["", "?!", "x" * 2000, "no " * 600, "\u202e\x00", "音楽", "in h#-moll 0/0 000bpm"])
def test_any_text_gives_a_brief(prompt: str) -> None:
    found = brief.read(prompt, 30)
    assert brief.MIN_TEMPO <= found.tempo <= brief.MAX_TEMPO
    assert found.instruments
