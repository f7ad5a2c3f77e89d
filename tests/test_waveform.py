"""Waveforms: measured while a piece is encoded, kept with its track, and drawn on the page of a share link."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pages import waveform as drawing
from studio import production
from studio.synthesis import RATE
from studio.synthesis.signals import Samples
from studio.waveform import PARTS, WaveformMeter


def _blocks(samples: Samples, size: int) -> Iterator[Samples]:
    for start in range(0, len(samples), size):
        yield samples[start : start + size]


def _measured(samples: Samples, size: int, total: int | None = None) -> bytes:
    meter = WaveformMeter(len(samples) if total is None else total)
    passed = list(meter.measuring(_blocks(samples, size)))
    assert np.array_equal(np.concatenate(passed), samples)
    return meter.levels()


def test_levels_follow_the_music_whatever_the_size_of_the_blocks() -> None:
    loudness = np.linspace(0, 0.5, 96_000)
    samples = np.stack([loudness, -loudness], axis=1).astype(np.float32)
    levels = _measured(samples, 1000)
    assert len(levels) == PARTS == drawing.PARTS
    assert levels[-1] == 255
    assert levels == bytes(sorted(levels))
    assert all(abs(level - 255 * (part + 0.5) / 95.5) < 2 for part, level in enumerate(levels))
    assert levels == _measured(samples, 77) == _measured(samples, 96_000)


@pytest.mark.parametrize("count", [0, 1, 50, 97])
def test_short_and_silent_pieces_have_levels(count: int) -> None:
    assert _measured(np.zeros((count or 1, 2), np.float32), 10, count) == bytes(PARTS)
    assert max(_measured(np.ones((count or 1, 2), np.float32), 10, count)) == 255


def test_finished_file_has_the_waveform_of_its_samples(tmp_path: Path) -> None:
    half = np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE)
    samples = np.stack([np.concatenate([0.05 * half, 0.5 * half])] * 2, axis=1).astype(np.float32)
    finished = production.finish(_blocks(samples, RATE), "creation", tmp_path / "a.flac", lambda _share: None)
    first, second = finished.waveform[: PARTS // 2], finished.waveform[PARTS // 2 :]
    assert finished.seconds == 6
    assert max(first[:-1]) < 64
    assert min(second[1:]) > 200
