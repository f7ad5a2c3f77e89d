"""The brief: a request in music's words, read from prompt and tags by rules."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import NamedTuple

from studio import vocabulary
from studio.theory import SCALES
from studio.vocabulary import Genre

MIN_TEMPO, MAX_TEMPO = 40, 200
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_TEMPO = re.compile(r"\b(\d{2,3})\s*(?:bpm|beats per minute|schläge)")
_METRE = re.compile(r"\b([346])/([48])\b")
_KEY = re.compile(
    r"\b(?:in\s+)?([a-h])\s*([#♯b♭]|-?sharp|-?flat|is|es)?[\s-]+(major|minor|dur|moll|dorian|lydian|mixolydian|phrygian)\b"
)
_PITCHES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11, "h": 11}
_BRIGHT: tuple[str, ...] = ("major", "major", "lydian", "mixolydian")
_DARK: tuple[str, ...] = ("minor", "minor", "dorian")
_DARKEST: tuple[str, ...] = ("minor", "phrygian")
_SHARPS = frozenset(("#", "♯", "sharp", "-sharp", "is"))


@dataclass(frozen=True, slots=True)
class Brief:
    """What is to be composed. `valence` and `energy` from -1 to 1, `tempo` in beats per minute, `tonic` 0 (C) to 11.

    `drums` names a pattern of studio.composing.drums, empty for none. A segment of a focus session overlaps its
    neighbours for `fade_seconds`. One seed and one brief give one score.
    """

    seconds: float
    mode: str
    tempo: float
    beats_per_bar: int
    tonic: int
    scale: str
    valence: float
    energy: float
    instruments: tuple[str, ...]
    drums: str
    swing: float
    seed: int
    fade_seconds: float = 0.0


class _Words(NamedTuple):
    """The words of prompt and tags, without those that a negation takes out, and the whole text."""

    words: tuple[str, ...]
    refused: frozenset[str]
    text: str


def read(prompt: str, seconds: float, *, tags: Sequence[str] = (), mode: str = "creation", seed: int = 0) -> Brief:
    """The brief of a prompt. What the prompt leaves open follows from a hash of its words, not from the seed.

    So one prompt with two seeds gives two pieces of one kind.
    """
    said = _words(" ".join((prompt, *tags)))
    kin = Random(_hash(said.text))
    genre = _first(vocabulary.GENRES, said.words)
    valence, energy = _mood(said.words, kin)
    scale = _scale(said, genre, valence, kin)
    tempo = _tempo(said, genre, energy, mode, kin)
    beats = _beats_per_bar(said, genre)
    return Brief(
        seconds=seconds,
        mode=mode,
        tempo=tempo,
        beats_per_bar=beats,
        tonic=_tonic(said, kin),
        scale=scale,
        valence=valence,
        energy=energy,
        instruments=_instruments(said, genre, energy, kin),
        drums=_drums(said, genre, energy, mode, beats),
        swing=genre.swing if genre else 0.0,
        seed=_hash(f"{seed} {said.text}"),
    )


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def _words(text: str) -> _Words:
    text = unicodedata.normalize("NFKC", text).casefold()
    found = _WORD.findall(text)
    refused = {word for before, word in pairwise(found) if before in vocabulary.NEGATIONS}
    return _Words(tuple(word for word in found if word not in refused), frozenset(refused), text)


def _first(table: dict[str, Genre], words: Iterable[str]) -> Genre | None:
    return next((table[word] for word in words if word in table), None)


def _mood(words: Sequence[str], kin: Random) -> tuple[float, float]:
    """The mean of the moods; without one, anything but an extreme."""
    moods = [vocabulary.MOODS[word] for word in words if word in vocabulary.MOODS]
    if not moods:
        return kin.uniform(-0.5, 0.7), kin.uniform(-0.5, 0.5)
    shift = 0.5 * (any(word in vocabulary.FAST for word in words) - any(word in vocabulary.SLOW for word in words))
    energy = sum(mood.energy for mood in moods) / len(moods) + shift
    return sum(mood.valence for mood in moods) / len(moods), max(-1.0, min(1.0, energy))


def _tonic(said: _Words, kin: Random) -> int:
    drawn = kin.randrange(12)
    named = _KEY.search(said.text)
    if named is None:
        return drawn
    step = 0 if named[2] is None else 1 if named[2] in _SHARPS else -1
    return (_PITCHES[named[1]] + step) % 12


def _scale(said: _Words, genre: Genre | None, valence: float, kin: Random) -> str:
    named = _KEY.search(said.text)
    if named is not None:
        return vocabulary.SCALE_WORDS.get(named[3], named[3])
    for word in said.words:
        if word in vocabulary.SCALE_WORDS or word in SCALES:
            return vocabulary.SCALE_WORDS.get(word, word)
    fitting = _BRIGHT if valence > 0.1 else _DARK if valence > -0.75 else _DARKEST
    if genre and genre.scales:
        fitting = tuple(scale for scale in genre.scales if scale in fitting) or genre.scales
    return kin.choice(fitting)


def _tempo(said: _Words, genre: Genre | None, energy: float, mode: str, kin: Random) -> float:
    named = _TEMPO.search(said.text)
    if named is not None:
        return float(max(MIN_TEMPO, min(MAX_TEMPO, int(named[1]))))
    low, high = genre.tempo if genre else (round(84 + 26 * energy), round(98 + 34 * energy))
    tempo = kin.randint(low, high)
    if not genre and any(word in vocabulary.SLOW for word in said.words):
        tempo = min(tempo, 66)
    # A focus segment is a whole number of bars of four, whatever its minutes.
    return float(min(96, tempo) // 2 * 2 if mode == "focus" else tempo)


def _beats_per_bar(said: _Words, genre: Genre | None) -> int:
    named = _METRE.search(said.text)
    if named is not None:
        return 4 if named[1] == "4" else 3
    return genre.beats_per_bar if genre else 4


def _instruments(said: _Words, genre: Genre | None, energy: float, kin: Random) -> tuple[str, ...]:
    """The named instruments, completed to something that can carry melody, harmony and bass."""
    named = [vocabulary.INSTRUMENTS[word] for word in said.words if word in vocabulary.INSTRUMENTS]
    refused = {vocabulary.INSTRUMENTS[word] for word in said.refused if word in vocabulary.INSTRUMENTS}
    usual = genre.instruments if genre else kin.choice(_ENSEMBLES)
    extra = ("bass",) if energy > -0.5 else ()
    return tuple(dict.fromkeys(name for name in (*named, *usual, *extra) if name not in refused)) or ("piano",)


_ENSEMBLES = (
    ("piano", "strings", "bass"),
    ("electric_piano", "pad", "bass"),
    ("pluck", "pad", "flute", "bass"),
    ("harp", "strings", "flute"),
    ("piano", "pad", "bell", "bass"),
    ("pluck", "synth", "pad", "bass"),
)


def _drums(said: _Words, genre: Genre | None, energy: float, mode: str, beats: int) -> str:
    if said.refused & vocabulary.DRUMS:
        return ""
    pattern = (
        genre.drums if genre else ("rock" if energy > 0.3 else "soft" if energy > -0.2 and mode == "creation" else "")
    )
    if not pattern and any(word in vocabulary.DRUMS for word in said.words):
        pattern = "rock" if energy > 0.3 else "soft"
    return "waltz" if pattern and beats == 3 else pattern
