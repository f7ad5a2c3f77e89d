"""From a brief to a file: composed, rendered, mastered, encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from studio import encoding
from studio.brief import Brief
from studio.composing.draws import Draws
from studio.composing.form import joining_bars
from studio.engines.base import Engine, Progress
from studio.mastering.edges import joining
from studio.mastering.master import TARGET_LUFS, mastered, rendered
from studio.score import Score, last_bars
from studio.synthesis import RATE
from studio.synthesis.signals import Samples
from studio.waveform import WaveformMeter

# The shares of the whole work, measured with MP3 on one core.
_RENDERING, _MASTERING = 0.2, 0.12
STAGE_ENDS = (_RENDERING, _RENDERING + _MASTERING)
"""The share of the work at which rendering ends, and at which mastering ends."""
_PASSES = 3
LEAD_IN_BARS = 2
"""Bars before a join that leave their reverberation in it."""


class Finished(NamedTuple):
    """What is known of a finished file: its exact length in seconds, and its waveform (studio.waveform)."""

    seconds: float
    waveform: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """A finished piece: its score, its exact length in seconds, its waveform, its media type."""

    score: Score
    seconds: float
    waveform: bytes
    media_type: str


def produce(
    engine: Engine,
    brief: Brief,
    path: Path,
    progress: Progress,
    folder: Path | None = None,
    draws: Draws | None = None,
    before: Draws | None = None,
) -> Piece:
    """Writes the piece to `path` (.mp3, .flac or .wav). Uncompressed audio is kept in `folder` meanwhile.

    `draws` are those of a segment of a focus session, `before` those of the segment before it. `progress` is called
    with the finished share, which never falls, and may raise Cancelled; an unfinished file is left to the caller.
    Raises OSError when a disk is full.
    """
    score = engine.compose(brief, draws)
    stages = _Stages(progress)
    end = None if before is None else _end(engine, engine.compose(brief, before), brief)
    blocks = engine.render(score, stages.rendering)
    finished = _finish(blocks, score.mode, path, stages, folder, brief.fade_seconds, end)
    return Piece(score, *finished, media_type(path))


def finish(
    blocks: Iterator[Samples],
    mode: str,
    path: Path,
    progress: Progress,
    folder: Path | None = None,
    fade_seconds: float = 0.0,
) -> Finished:
    """Masters and encodes samples that come from elsewhere, as `produce` does."""
    return _finish(blocks, mode, path, _Stages(progress), folder, fade_seconds)


def media_type(path: Path) -> str:
    """The media type of a file by its suffix. Raises KeyError for one that is never written."""
    return encoding.MEDIA_TYPES[path.suffix.lstrip(".")]


def _finish(
    blocks: Iterator[Samples],
    mode: str,
    path: Path,
    stages: _Stages,
    folder: Path | None,
    fade_seconds: float,
    before: Samples | None = None,
) -> Finished:
    with rendered(blocks, folder) as mix:
        lufs, on_block = TARGET_LUFS[mode], stages.measuring(mix.count)
        louder = joining(mix, lufs, fade_seconds, before, on_block) if fade_seconds else mastered(mix, lufs, on_block)
        meter = WaveformMeter(mix.count)
        samples = encoding.write(meter.measuring(stages.encoding(louder, mix.count)), path)
        return Finished(samples / RATE, meter.levels())


def _end(engine: Engine, score: Score, brief: Brief) -> Samples:
    """The end of a segment before mastering, some bars that a join sounds with; rendered without what leads there."""
    score = last_bars(score, joining_bars(brief) + LEAD_IN_BARS)
    return np.concatenate(list(engine.render(score, lambda _share: None)))


class _Stages:
    """Turns the progress of rendering, mastering and encoding into one share that never falls."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._measured = 0

    def rendering(self, share: float) -> None:
        self._progress(_RENDERING * share)

    def measuring(self, count: int) -> Callable[[], None]:
        """Called for each second of the passes over a piece of `count` samples; usually there are three."""
        total = _PASSES * max(1, count // RATE)

        def on_block() -> None:
            self._measured = min(total, self._measured + 1)
            self._progress(_RENDERING + _MASTERING * self._measured / total)

        return on_block

    def encoding(self, blocks: Iterator[Samples], total: int) -> Iterator[Samples]:
        done = 0
        for block in blocks:
            yield block
            done += len(block)
            share = _RENDERING + _MASTERING + (1 - _RENDERING - _MASTERING) * min(1.0, done / max(1, total))
            self._progress(share)
