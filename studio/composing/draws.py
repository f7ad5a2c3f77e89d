"""Where a composer's chance comes from: one stream for a piece, or one for each part, which segments may share."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

Draws = Callable[[str], Random]
"""The stream of a part, by its name: chords, harmony, bass, melody, drums, performance."""

PERFORMANCE = "performance"
"""The stream of the small deviations with which a score is played."""


def of_piece(seed: int) -> Draws:
    """One stream for all parts."""
    stream = Random(seed)
    return lambda _part: stream


def of_segment(seed: int, index: int, divergence: float) -> Draws:
    """The streams of a segment of a session.

    With the probability `divergence` a part is drawn anew for the segment, else it is that of the first segment. The
    performance is always new.
    """

    def draws(part: str) -> Random:
        is_new = Random(f"{seed} {index} {part} is new").random() < divergence
        return Random(f"{seed} {index if is_new or part == PERFORMANCE else 0} {part}")

    return draws
