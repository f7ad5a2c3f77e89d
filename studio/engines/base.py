"""What every engine does: compose a score from a brief, and render it in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from studio.brief import Brief
from studio.composing.draws import Draws
from studio.engines.catalog import Capabilities
from studio.score import Score
from studio.synthesis.signals import Samples

Progress = Callable[[float], None]
"""Called with the finished share, from 0 to 1, about once for each second of music. May raise Cancelled."""


class Cancelled(Exception):
    """Raised by a progress callback to stop the work."""


class EngineFailed(Exception):
    """An engine could not make the piece. The text is for whoever asked; `detail` is for the operator."""

    def __init__(self, text: str, detail: str = "") -> None:
        super().__init__(text)
        self.detail = detail


class EngineRefused(Exception):
    """An engine will not make this piece; the text is for whoever asked."""


class Engine(Protocol):
    """One way to make music."""

    capabilities: Capabilities

    def compose(self, brief: Brief, draws: Draws | None = None) -> Score:
        """The score; one brief gives one score. `draws` are those of a segment of a focus session."""

    def render(self, score: Score, progress: Progress, role: str | None = None) -> Iterator[Samples]:
        """The samples in blocks of one second, two channels; only the stem `role` if it is given."""
