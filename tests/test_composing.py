"""Composing: sections that come back are kin, those of other letters are others, and none is a copy; read in scores."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pytest

from studio import brief
from studio.engines.computed import ENGINES
from studio.score import Note, Score, Section

PROMPTS = ("triste", "épique", "rock summer", "jazz", "lofi beats", "waltz", "dreamy harp, dorian", "lydian bells")
SEEDS = range(5)
SECONDS = (30, 60, 180)


def scores(engine: str) -> Iterator[Score]:
    for prompt in PROMPTS:
        for seed in SEEDS:
            for seconds in SECONDS:
                yield ENGINES[engine].compose(brief.read(prompt, seconds, seed=seed))


def chords_of(score: Score, section: Section) -> list[tuple[int, ...]]:
    return [pitches for _, pitches in score.chords[section.start_bar : section.start_bar + section.bars]]


def melody_of(score: Score, section: Section) -> list[Note]:
    """The notes of the melody that belong to a section; those played a little early do."""
    first, last = (bar * score.beats_per_bar - 0.2 for bar in (section.start_bar, section.start_bar + section.bars))
    notes = [note for voice in score.voices if voice.role == "melody" for note in voice.notes]
    return [note for note in notes if first <= note.start < last]


def line_of(score: Score, section: Section) -> list[tuple[int, int]]:
    """When, in sixteenths from the beginning of the section, each note of its melody begins, and its pitch."""
    first = section.start_bar * score.beats_per_bar
    return [(round(4 * (note.start - first)), note.pitch) for note in melody_of(score, section)]


def pairs(score: Score, *, kin: bool) -> list[tuple[Section, Section]]:
    """The pairs of sections of one letter, or of two; without the introduction."""
    found = combinations([section for section in score.sections if section.letter != "I"], 2)
    return [(one, other) for one, other in found if (one.letter == other.letter) == kin]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_section_comes_back_with_its_chords_in_their_places(engine: str) -> None:
    """All but the cadence at the end of the piece."""
    for score in scores(engine):
        for one, other in pairs(score, kin=True):
            count = one.bars - (2 if other is score.sections[-1] else 0)
            assert chords_of(score, one)[:count] == chords_of(score, other)[:count], score


@pytest.mark.parametrize("engine", ENGINES)
def test_sections_of_two_letters_share_half_of_their_chords_at_most(engine: str) -> None:
    for score in scores(engine):
        for one, other in pairs(score, kin=False):
            both = zip(chords_of(score, one), chords_of(score, other), strict=True)
            shared = [{p % 12 for p in this} == {p % 12 for p in that} for this, that in both]
            assert sum(shared) <= len(shared) / 2, score


def test_a_motif_comes_back_from_the_same_note_but_not_with_the_same_notes() -> None:
    for score in scores("studio"):
        for one, other in pairs(score, kin=True):
            first, second = line_of(score, one), line_of(score, other)
            assert first[0] == second[0], score
            assert first != second, score


def test_a_section_of_drift_comes_back_with_its_notes_but_for_one() -> None:
    for score in scores("drift"):
        first = {section.letter: section for section in reversed(score.sections)}
        for section in score.sections:
            beats = (section.start_bar - first[section.letter].start_bar) * score.beats_per_bar
            had = {(note.start + beats, note.pitch) for note in melody_of(score, first[section.letter])}
            has = {(note.start, note.pitch) for note in melody_of(score, section)}
            assert had, "every section has a note of its own"
            assert len(had ^ has) == (section is not first[section.letter]), score
