"""The engines whose music is computed here: `studio` and `drift`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from studio.brief import Brief
from studio.composing import arrangement, drift
from studio.composing.draws import Draws
from studio.engines.base import Progress
from studio.engines.catalog import DRIFT, STUDIO, Capabilities
from studio.score import Score
from studio.synthesis import RATE
from studio.synthesis.mixer import Mixer
from studio.synthesis.signals import Samples


class ComputedEngine:
    """An engine of a composer and the mixer."""

    def __init__(self, capabilities: Capabilities, composer: Callable[[Brief, Draws | None], Score]) -> None:
        self.capabilities = capabilities
        self._composer = composer

    def compose(self, brief: Brief, draws: Draws | None = None) -> Score:
        """The score; one brief gives one score. `draws` are those of a segment of a focus session."""
        return self._composer(brief, draws)

    def render(self, score: Score, progress: Progress, role: str | None = None) -> Iterator[Samples]:
        """The samples in blocks of one second, two channels; only the stem `role` if it is given."""
        done = 0
        for block in Mixer(score, role).blocks():
            done += len(block)
            progress(min(1.0, done / (score.seconds * RATE)))
            yield block


ENGINES = {
    STUDIO.key: ComputedEngine(STUDIO, arrangement.compose),
    DRIFT.key: ComputedEngine(DRIFT, drift.compose),
}
