"""The passes of mastering: render and measure, then gain and limiter, until the loudness is right.

Between them the piece lies in temporary files, as rendered and as limited, so that memory does not grow with its length
and no pass is made twice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from studio.mastering.limiter import Limiter
from studio.mastering.loudness import LoudnessMeter
from studio.synthesis import RATE
from studio.synthesis.signals import Samples
from studio.targets import TARGET_LUFS

__all__ = ["TARGET_LUFS", "Mix", "limited", "mastered", "rendered"]

CEILING_DBTP = -1.3
"""MP3 moves peaks by some tenths of a decibel; -1 dBTP is what has to hold in the file."""
_TOLERANCE_LU, _PASSES = 0.1, 5
_BLOCK = RATE
_FRAME_BYTES = 8


class Mix:
    """A piece in a temporary file of a folder: samples of two channels, float32. Raises OSError when the disk is full.

    The file is removed when it is closed.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.count = 0
        """Samples of each channel."""
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - `close` closes it

    def keeping(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """The blocks, which are kept in the place of what was."""
        self._file.seek(0)
        self._file.truncate()
        self.count = 0
        for block in blocks:
            kept = block.astype(np.float32, copy=False)
            self._file.write(kept.tobytes())
            self.count += len(kept)
            yield kept

    def blocks(self) -> Iterator[Samples]:
        """The samples in blocks of one second."""
        self._file.seek(0)
        while data := self._file.read(_BLOCK * _FRAME_BYTES):
            yield np.frombuffer(data, dtype=np.float32).reshape(-1, 2)

    def close(self) -> None:
        """Removes the file."""
        self._file.close()


@contextmanager
def rendered(blocks: Iterator[Samples], folder: Path | None = None) -> Iterator[Mix]:
    """The blocks, written to a temporary file that is removed at the end. Raises OSError when the disk is full."""
    with closing(Mix(folder)) as mix:
        for _block in mix.keeping(blocks):
            pass
        yield mix


def mastered(mix: Mix, lufs: float, on_block: Callable[[], None] = lambda: None) -> Iterator[Samples]:
    """The piece at that loudness, true peaks below -1.3 dBTP, in blocks.

    The limiter takes loudness away, so the gain is corrected until the limited piece is within 0.1 LU. `on_block` is
    called for each second of music that is measured: at most six times for the whole piece.
    """
    gain = 10 ** ((lufs - _loudness(mix.blocks(), on_block)) / 20)
    with closing(Mix(mix.folder)) as louder:
        for _ in range(_PASSES):
            missing = lufs - _loudness(louder.keeping(limited(_louder(mix, gain))), on_block)
            if abs(missing) <= _TOLERANCE_LU:
                break
            gain *= 10 ** (missing / 20)
        yield from louder.blocks()


def limited(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """The same number of samples, with true peaks below -1.3 dBTP."""
    limiter = Limiter(10 ** (CEILING_DBTP / 20))
    for block in blocks:
        yield limiter.process(block)
    yield limiter.finish()


def _louder(mix: Mix, gain: float) -> Iterator[Samples]:
    return (block * np.float32(gain) for block in mix.blocks())


def _loudness(blocks: Iterator[Samples], on_block: Callable[[], None]) -> float:
    meter = LoudnessMeter()
    for block in blocks:
        meter.add(block)
        on_block()
    return meter.integrated()
