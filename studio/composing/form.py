"""The form of a piece: how many bars fit, and which sections they make."""

from __future__ import annotations

from math import ceil

from studio.brief import Brief
from studio.score import Section

MIN_TAIL_SECONDS, MAX_TAIL_SECONDS = 1.2, 4.0
_LETTERS = "AABACABA"
_SHORT = {1: "A", 2: "AB", 3: "ABA"}
_FOCUS_ENERGY = 0.6
_ENERGY = {"A": 0.75, "B": 0.6, "C": 0.5}


def bar_count(brief: Brief) -> int:
    """The whole bars before the last chord, which rings for 1.2 seconds at least; 0 for a piece of one chord."""
    bar = brief.beats_per_bar * 60 / brief.tempo
    if brief.mode == "focus":
        return max(1, round(brief.seconds / bar))
    return max(0, int((brief.seconds - MIN_TAIL_SECONDS - 0.25 * min(bar, MAX_TAIL_SECONDS)) / bar))


def joining_bars(brief: Brief) -> int:
    """The bars at each end of a segment that sound together with its neighbours; an even number."""
    bar = brief.beats_per_bar * 60 / brief.tempo
    return 2 * ceil(brief.fade_seconds / bar / 2 - 1e-6)


def sections(bars: int, mode: str) -> tuple[Section, ...]:
    """Sections of 8 bars (4 in short pieces); bars that are left over become the introduction."""
    unit = 8 if bars >= 40 else 4
    groups, rest = divmod(bars, unit)
    if groups == 0:
        return (Section("A", 0, bars, 0.7),) if bars else ()
    found, start = [], 0
    if rest:
        found.append(Section("I", 0, rest, _FOCUS_ENERGY if mode == "focus" else 0.25))
        start = rest
    for index in range(groups):
        letter = _letter(index, groups)
        found.append(Section(letter, start, unit, _energy(letter, index, groups, mode)))
        start += unit
    return tuple(found)


def _letter(index: int, groups: int) -> str:
    """The last section of a longer piece is always an A: what began returns."""
    if groups in _SHORT:
        return _SHORT[groups][index]
    return "A" if index == groups - 1 else _LETTERS[index % len(_LETTERS)]


def _energy(letter: str, index: int, groups: int, mode: str) -> float:
    """A slow rise, a step back in contrasting sections, and the height shortly before the end; focus stays level."""
    if mode == "focus":
        return _FOCUS_ENERGY
    place = index / max(1, groups - 1)
    rise = 0.35 * (place - 0.4) if place < 0.9 else 0.05
    return max(0.3, min(1.0, _ENERGY[letter] + rise - (0.2 if index == 0 and groups > 2 else 0.0)))
