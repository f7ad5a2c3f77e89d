"""A hundred prompts: moods in three languages, genres, instruments, tempos, keys, tags alone, nonsense, the longest."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

_MOODS = (
    "happy", "calm", "sad", "dark", "energetic", "dreamy", "epic", "mysterious", "playful",
    "fröhlich", "ruhig", "traurig", "düster", "treibend", "verträumt", "heldenhaft", "geheimnisvoll", "verspielt",
    "joyeux", "calme", "triste", "sombre", "rapide", "rêveur", "épique", "mystérieux", "enjoué",
)  # fmt: skip
_GENRES = (
    "lofi",
    "ambient",
    "house",
    "techno",
    "rock",
    "jazz",
    "folk",
    "classical",
    "waltz",
    "hiphop",
    "ballad",
    "bossa",
)
_INSTRUMENTS = ("piano", "guitar", "harp", "strings", "flute", "bells", "organ", "synth", "rhodes")
_KEYS = ("C major", "D minor", "F# minor", "Eb major", "G dorian", "A-Moll")
_TEMPOS = (48, 66, 84, 100, 120, 144, 168)
_ODD = (
    "", "x", "qwertz asdf yxcv", "!!! ??? ...", "1234567890", "音楽を作って", "a " * 1000, "no no no no",
    "without anything",
    "the sound of a printer that dreams of being a cello",
)  # fmt: skip


class Prompt(NamedTuple):
    engine: str
    text: str
    tags: tuple[str, ...] = ()


def prompts() -> list[Prompt]:
    """Exactly a hundred, every fifth for the engine `drift`."""
    texts = [Prompt("", mood) for mood in _MOODS]
    texts += [Prompt("", f"{genre} with {_INSTRUMENTS[i % 9]}") for i, genre in enumerate(_GENRES)]
    texts += [Prompt("", f"{name} solo") for name in _INSTRUMENTS]
    texts += [Prompt("", f"a piece in {key}") for key in _KEYS]
    texts += [Prompt("", f"{bpm} bpm with drums") for bpm in _TEMPOS]
    texts += [Prompt("", odd) for odd in _ODD]
    texts += [Prompt("", "", (genre, mood)) for genre, mood in product(_GENRES, ("night", "summer", "storm"))]
    return [prompt._replace(engine="drift" if i % 5 == 4 else "studio") for i, prompt in enumerate(texts[:100])]
