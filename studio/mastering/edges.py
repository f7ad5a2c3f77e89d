"""Masters a segment, so that it joins its neighbours without a jump in loudness.

A player fades one segment out while the next one fades in, along curves whose powers add up to one. What is heard of a
segment alone gets the loudness that is asked for, and its end, faded out, half the energy of that. Its start gets a
gain with which, faded in over the end of the segment before, both together have all of it: the two play the same chord,
and so may add up to more or less than each by itself. All of it is measured behind the limiter, as a listener would.
Where louder or softer edges move the whole file by more than 0.3 LU, all of it moves against them, by 0.42 LU at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize

from studio.mastering.loudness import LoudnessMeter
from studio.mastering.master import Mix, limited
from studio.synthesis import RATE
from studio.synthesis.signals import Samples

RETURN_SECONDS = 10.0
"""How long the gain of an edge takes to return to nothing."""
MOST_DECIBELS = 24.0
"""For a program that makes nothing where it should join; our own engines need half of it."""
_HALF_LU = float(10 * np.log10(0.5))
_MOST_BY_EDGES_LU, _MOST_SHIFT_LU = 0.3, 0.42
_TOLERANCE_LU, _ROUNDS = 0.05, 9
_LEAD_IN = RATE


class _Gains(NamedTuple):
    """Decibels of a segment, and more of its start and of its end."""

    whole: float = 0.0
    start: float = 0.0
    end: float = 0.0

    def corrected(self, by: _Gains) -> _Gains:
        """The gains after a correction of what was measured with them."""
        start, end = self.start + by.start - by.whole, self.end + by.end - by.whole
        return _Gains(self.whole + by.whole, _within(start), _within(end))


def joining(
    mix: Mix,
    lufs: float,
    fade_seconds: float,
    before: Samples | None = None,
    on_block: Callable[[], None] = lambda: None,
) -> Iterator[Samples]:
    """The segment, to be played at that loudness with a crossfade of so many seconds at each end, in blocks.

    `before` is the end of the segment before this one, of any loudness, a second longer than the crossfade. The gains
    are corrected until all is within 0.05 LU. `on_block` is called for each second of music that is measured.
    """
    fade = min(round(fade_seconds * RATE), mix.count // 3)
    rising = np.sin(np.arange(fade) / max(1, fade) * np.pi / 2)[:, None]
    fading = None if before is None else _fading(before, rising[::-1], lufs + _HALF_LU)
    gains = _Gains()
    with closing(Mix(mix.folder)) as levelled:
        for _ in range(_ROUNDS):
            segment = levelled.keeping(limited(_levelled(mix, fade, gains, on_block)))
            correction = _correction(segment, mix.count, rising, fading, lufs)
            if max(map(abs, correction)) <= _TOLERANCE_LU:
                break
            gains = gains.corrected(correction)
        yield from levelled.blocks()


def _correction(blocks: Iterable[Samples], count: int, rising: Samples, fading: Samples | None, lufs: float) -> _Gains:
    """What the segment, its faded start and its faded end are from the loudness that they shall have."""
    start, alone, end, whole = _parted(blocks, count, len(rising))
    faded_in, faded_out, half = start * rising, end * rising[::-1], lufs + _HALF_LU
    by_edges = whole - alone
    too_much = by_edges - np.clip(by_edges, -_MOST_BY_EDGES_LU, _MOST_BY_EDGES_LU)
    shift = float(np.clip(-too_much, -_MOST_SHIFT_LU, _MOST_SHIFT_LU))
    joined = half + shift - _loudness(faded_in) if fading is None else _joined(faded_in, fading, lufs + shift)
    return _Gains(lufs + shift - alone, joined, half + shift - _loudness(faded_out))


def _parted(blocks: Iterable[Samples], count: int, fade: int) -> tuple[Samples, float, Samples, float]:
    """The first `fade` samples, the loudness of what is heard alone, the last `fade` samples, the loudness of all."""
    start, end, meter, of_all, done = [], [], LoudnessMeter(), LoudnessMeter(), 0
    for block in blocks:
        of_all.add(block)
        first, last = (min(len(block), max(0, at - done)) for at in (fade, count - fade))
        start.append(block[:first])
        if first < last:
            meter.add(block[first:last])
        end.append(block[last:])
        done += len(block)
    return np.concatenate(start), meter.integrated(), np.concatenate(end), of_all.integrated()


def _fading(before: Samples, falling: Samples, lufs: float) -> Samples:
    """The end of the segment before, as it is heard: what a player fades out has that loudness."""
    lead, gain = before[-len(falling) - _LEAD_IN :], 0.0
    for _ in range(_ROUNDS):
        faded = np.concatenate(list(limited([lead * _amplitude(gain)])))[-len(falling) :] * falling
        missing = lufs - _loudness(faded)
        if abs(missing) <= _TOLERANCE_LU:
            break
        gain = _within(gain + missing)
    return np.asarray(faded)


def _joined(start: Samples, fading: Samples, lufs: float) -> float:
    """The decibels that the start needs, so that both together have that loudness."""

    def missing(decibels: float) -> float:
        return lufs - _loudness(fading + start * _amplitude(decibels))

    if missing(MOST_DECIBELS) > 0 or missing(-MOST_DECIBELS) < 0:
        return _within(missing(0.0))
    return float(optimize.brentq(missing, -MOST_DECIBELS, MOST_DECIBELS, xtol=0.01))


def _levelled(mix: Mix, fade: int, gains: _Gains, on_block: Callable[[], None]) -> Iterator[Samples]:
    """The gain of an edge is held for the crossfade, then it is a line in decibels to 0."""
    done, slope = 0, max(1.0, min(RETURN_SECONDS * RATE, mix.count / 2 - fade))
    for block in mix.blocks():
        position = np.arange(done, done + len(block), dtype=np.float64)
        start = gains.start * np.clip(1 - (position - fade) / slope, 0, 1)
        end = gains.end * np.clip(1 - (mix.count - position - fade) / slope, 0, 1)
        yield block * _amplitude(gains.whole + start + end)[:, None]
        done += len(block)
        on_block()


def _loudness(samples: Samples) -> float:
    meter = LoudnessMeter()
    meter.add(samples)
    return meter.integrated()


def _amplitude(decibels: float | np.ndarray[Any, np.dtype[np.float64]]) -> Samples:
    return np.asarray(10.0 ** (np.asarray(decibels) / 20), dtype=np.float32)


def _within(decibels: float) -> float:
    return float(np.clip(decibels, -MOST_DECIBELS, MOST_DECIBELS))
