"""From a brief to a file: composed, rendered, mastered, encoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio import encoding
from studio.brief import Brief
from studio.engines.base import Engine, Progress
from studio.mastering.master import TARGET_LUFS, mastered, rendered
from studio.score import Score
from studio.synthesis import RATE
from studio.synthesis.signals import Samples

# The shares of the whole work, measured with MP3 on one core.
_RENDERING, _MASTERING = 0.25, 0.2
_PASSES = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """A finished piece: its score, its exact length in seconds, its media type."""

    score: Score
    seconds: float
    media_type: str


def produce(engine: Engine, brief: Brief, path: Path, progress: Progress, folder: Path | None = None) -> Piece:
    """Writes the piece to `path` (.mp3, .flac or .wav). Uncompressed audio is kept in `folder` meanwhile.

    `progress` is called with the finished share, which never falls, and may raise Cancelled; an unfinished file is left
    to the caller. Raises OSError when a disk is full.
    """
    score = engine.compose(brief)
    stages = _Stages(progress)
    with rendered(engine.render(score, stages.rendering), folder) as mix:
        blocks = mastered(mix, TARGET_LUFS[score.mode], stages.mastering_pass)
        count = encoding.write(stages.encoding(blocks, mix.count), path)
    return Piece(score, count / RATE, encoding.MEDIA_TYPES[path.suffix.lstrip(".")])


class _Stages:
    """Turns the progress of rendering, mastering and encoding into one share that never falls."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._passes = 0

    def rendering(self, share: float) -> None:
        self._progress(_RENDERING * share)

    def mastering_pass(self) -> None:
        self._passes = min(_PASSES, self._passes + 1)
        self._progress(_RENDERING + _MASTERING * self._passes / _PASSES)

    def encoding(self, blocks: Iterator[Samples], total: int) -> Iterator[Samples]:
        done = 0
        for block in blocks:
            yield block
            done += len(block)
            self._progress(_RENDERING + _MASTERING + (1 - _RENDERING - _MASTERING) * min(1.0, done / total))
