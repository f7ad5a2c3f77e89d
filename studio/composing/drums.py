"""Drum patterns of one bar: (beat, drum, velocity), with fills at the ends of sections."""

from __future__ import annotations

from random import Random

from studio.brief import Brief
from studio.score import DRUM_PITCHES, Note, Section

Hit = tuple[float, str, float]


def _eighths(velocity: float, drum: str = "hat") -> tuple[Hit, ...]:
    return tuple((step / 2, drum, velocity * (1.0 if step % 2 == 0 else 0.65)) for step in range(8))


def _sixteenths(velocity: float, drum: str = "hat") -> tuple[Hit, ...]:
    return tuple((step / 4, drum, velocity * (1.0, 0.45, 0.7, 0.45)[step % 4]) for step in range(16))


PATTERNS: dict[str, tuple[Hit, ...]] = {
    "soft": ((0.0, "kick", 0.55), (2.5, "kick", 0.35), (2.0, "rim", 0.4), *_eighths(0.3, "shaker")),
    "rock": ((0.0, "kick", 0.85), (2.5, "kick", 0.7), (1.0, "snare", 0.75), (3.0, "snare", 0.8), *_eighths(0.45)),
    "house": (
        (0.0, "kick", 0.9), (1.0, "kick", 0.85), (2.0, "kick", 0.9), (3.0, "kick", 0.85), (1.0, "snare", 0.45),
        (3.0, "snare", 0.5), (0.5, "open_hat", 0.4), (1.5, "open_hat", 0.4), (2.5, "open_hat", 0.4),
        (3.5, "open_hat", 0.4), *_sixteenths(0.22, "shaker"),
    ),
    "lofi": (
        (0.0, "kick", 0.75), (1.75, "kick", 0.45), (2.5, "kick", 0.6), (1.0, "snare", 0.6), (3.0, "snare", 0.62),
        *_eighths(0.32),
    ),
    "hiphop": (
        (0.0, "kick", 0.85), (0.75, "kick", 0.5), (2.5, "kick", 0.75), (1.0, "snare", 0.75), (3.0, "snare", 0.78),
        *_sixteenths(0.3),
    ),
    "swing": (
        (0.0, "hat", 0.45), (1.0, "hat", 0.55), (1.5, "hat", 0.35), (2.0, "hat", 0.45), (3.0, "hat", 0.55),
        (3.5, "hat", 0.35), (0.0, "kick", 0.3), (1.0, "rim", 0.25), (3.0, "rim", 0.28),
    ),
    "bossa": (
        (0.0, "kick", 0.6), (1.5, "kick", 0.4), (2.0, "kick", 0.6), (3.5, "kick", 0.4), (0.0, "rim", 0.4),
        (1.5, "rim", 0.42), (3.0, "rim", 0.4), *_eighths(0.25, "shaker"),
    ),
    "waltz": ((0.0, "kick", 0.55), (1.0, "rim", 0.3), (2.0, "rim", 0.32), (1.0, "shaker", 0.22), (2.0, "shaker", 0.25)),
}  # fmt: skip
_FILL: tuple[Hit, ...] = ((3.0, "tom", 0.55), (3.25, "tom", 0.45), (3.5, "snare", 0.6), (3.75, "snare", 0.7))


def section_notes(brief: Brief, section: Section, random: Random) -> list[Note]:
    """The drums of a section. With little energy only the soft half of the kit plays; a loud section ends in a fill."""
    notes: list[Note] = []
    for bar in range(section.bars):
        start = float((section.start_bar + bar) * brief.beats_per_bar)
        last = bar == section.bars - 1
        hits = _bar(brief, section.energy, last, random)
        notes += [_note(start, hit, brief, section.energy, random) for hit in hits]
    if section.energy > 0.7:
        notes.append(_note(float(section.start_bar * brief.beats_per_bar), (0.0, "crash", 0.35), brief, 1.0, random))
    return notes


def _bar(brief: Brief, energy: float, last: bool, random: Random) -> list[Hit]:
    pattern = PATTERNS[brief.drums]
    if energy < 0.5:
        pattern = tuple(hit for hit in pattern if hit[1] in ("hat", "shaker", "rim", "kick"))
    hits = [hit for hit in pattern if hit[2] > 0.3 or random.random() < 0.9]
    if last and energy > 0.6 and brief.beats_per_bar == 4 and brief.drums in ("rock", "hiphop", "house"):
        hits = [hit for hit in hits if hit[0] < 3.0 or hit[1] == "kick"] + list(_FILL)
    return hits


def _note(start: float, hit: Hit, brief: Brief, energy: float, random: Random) -> Note:
    beat, drum, velocity = hit
    late = brief.swing if beat % 1 == 0.5 else 0.0
    loud = velocity * (0.8 + 0.25 * energy) * random.uniform(0.9, 1.08)
    return Note(start + beat + late, 0.25, DRUM_PITCHES[drum], min(1.0, loud))
