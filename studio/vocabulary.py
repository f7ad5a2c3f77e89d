"""The words that a prompt is read by: moods, genres, instruments, in English, German and French.

A mood moves two axes from -1 to 1: valence (dark to bright) and energy (calm to driving). A genre brings tempo, drums
and instruments. A word that is not here steers the seed, so that different prompts give different pieces.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar


class Mood(NamedTuple):
    valence: float
    energy: float


class Genre(NamedTuple):
    """`tempo` is a range in beats per minute; `drums` a pattern of studio.composing.drums or an empty text."""

    tempo: tuple[int, int]
    drums: str
    instruments: tuple[str, ...]
    swing: float = 0.0
    beats_per_bar: int = 4
    scales: tuple[str, ...] = ()


_MOODS: dict[Mood, str] = {
    Mood(0.8, 0.5): "happy cheerful joyful glad sunny uplifting fröhlich heiter glücklich sonnig joyeux heureux gai",
    Mood(0.6, -0.3): "peaceful gentle warm tender hopeful friedlich sanft warm zart hoffnungsvoll paisible doux tendre",
    Mood(
        0.2, -0.8
    ): "calm quiet sleepy sleep relaxing relaxed soft still ruhig leise schlaf entspannt müde calme sommeil",
    Mood(-0.7, -0.5): "sad melancholy melancholic lonely blue grief traurig melancholisch einsam wehmut triste seul",
    Mood(-0.4, -0.4): "rain rainy night nocturnal autumn fog winter regen nacht herbst nebel pluie nuit automne brume",
    Mood(-0.8, 0.5): "dark ominous tense angry storm menacing dunkel düster angespannt wütend sturm sombre orage tendu",
    Mood(
        0.3, 0.9
    ): "energetic driving powerful fast exciting workout energisch treibend schnell kraftvoll énergique rapide",
    Mood(0.0, 0.1): "focus focused concentration study work steady konzentration fokus lernen arbeit étude travail",
    Mood(0.4, -0.6): "dreamy floating ethereal space stars verträumt schwebend sterne weltraum rêveur étoiles espace",
    Mood(0.5, 0.7): "epic heroic cinematic adventure triumphant episch heldenhaft abenteuer épique héroïque aventure",
    Mood(-0.2, -0.1): "mysterious strange wistful nostalgic geheimnisvoll seltsam sehnsucht mystérieux nostalgique",
    Mood(0.7, 0.2): "playful morning spring summer verspielt morgen frühling sommer enjoué matin printemps été",
}
_GENRES: dict[Genre, str] = {
    Genre(
        (70, 88), "lofi", ("electric_piano", "bass", "pad"), 0.16, scales=("dorian", "minor", "major")
    ): "lofi lo-fi chillhop",
    Genre((60, 72), "", ("pad", "bell", "bass")): "ambient drone meditation atmospheric atmosphärisch",
    Genre(
        (118, 126), "house", ("electric_piano", "bass", "pad", "pluck"), scales=("minor", "dorian")
    ): "house dance club tanz",
    Genre(
        (126, 134), "house", ("synth", "bass", "pad", "pluck"), scales=("minor", "phrygian")
    ): "techno trance electronic elektronisch",
    Genre((100, 124), "rock", ("pluck", "bass", "synth", "pad")): "rock indie pop",
    Genre((110, 150), "swing", ("piano", "bass"), 0.3, scales=("dorian", "major", "mixolydian")): "jazz swing bebop",
    Genre((84, 100), "", ("harp", "pluck", "flute", "strings")): "folk acoustic akustisch folklore acoustique",
    Genre((66, 92), "", ("piano", "strings")): "classical klassisch classique orchestral chamber kammermusik sonata",
    Genre((88, 100), "waltz", ("piano", "strings", "bass"), beats_per_bar=3): "waltz walzer valse",
    Genre(
        (84, 96), "hiphop", ("electric_piano", "bass", "pad"), 0.1, scales=("minor", "dorian")
    ): "hiphop hip-hop rap trap beats",
    Genre((76, 96), "rock", ("piano", "strings", "bass")): "ballad ballade soundtrack film movie filmmusik",
    Genre((92, 112), "bossa", ("pluck", "bass", "flute"), scales=("major", "dorian")): "bossa samba latin brazilian",
    Genre((96, 108), "rock", ("synth", "bass", "pad", "pluck"), scales=("minor",)): "synthwave retrowave eighties 80s",
    Genre((62, 74), "", ("bell", "pad", "harp")): "lullaby wiegenlied berceuse",
}
_INSTRUMENTS: dict[str, str] = {
    "piano": "piano klavier flügel keys",
    "electric_piano": "rhodes wurlitzer e-piano epiano",
    "pluck": "guitar gitarre guitare ukulele banjo lute",
    "harp": "harp harfe harpe kalimba koto",
    "strings": "strings violin cello viola streicher geige violon violoncelle orchestra orchester",
    "flute": "flute flöte flûte clarinet oboe whistle klarinette",
    "bell": "bell bells glocke glocken glockenspiel celesta vibraphone marimba music-box cloche",
    "pad": "pad pads synth-pad choir organ orgel orgue flächen",
    "synth": "synth synthesizer lead analog analogue",
    "bass": "bass contrabass kontrabass basse",
}


Meaning = TypeVar("Meaning")


def _by_word(table: dict[Meaning, str]) -> dict[str, Meaning]:
    return {word: meaning for meaning, words in table.items() for word in words.split()}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


MOODS = _by_word(_MOODS)
GENRES = _by_word(_GENRES)
INSTRUMENTS = _by_word(_INSTRUMENTS)
DRUMS = _set("drums drum percussion beat beats schlagzeug trommeln rhythmus batterie percussions")
SLOW = _set("slow slowly langsam lent lente adagio largo")
FAST = _set("fast quick uptempo schnell flott vite rapide allegro presto")
SCALE_WORDS = {
    "major": "major",
    "dur": "major",
    "majeur": "major",
    "minor": "minor",
    "moll": "minor",
    "mineur": "minor",
}
NEGATIONS = _set("no without ohne kein keine sans")
