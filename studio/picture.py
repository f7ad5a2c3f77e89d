"""A picture of a piece: waveform, spectrogram, and the score as a piano roll."""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import signal

from studio.score import Score
from studio.synthesis import RATE
from studio.synthesis.signals import Samples

WIDTH, WAVE_HEIGHT, SPECTRUM_HEIGHT, ROLL_HEIGHT, GAP = 900, 90, 180, 260, 8
_BACKGROUND, _INK, _GRID = (250, 250, 248), (40, 44, 52), (222, 222, 218)
_LOWEST_HERTZ, _HIGHEST_HERTZ, _RANGE_DB = 40.0, 16_000.0, 80.0
_ROLES = {"melody": 0.0, "harmony": 0.6, "bass": 0.78, "drums": 0.1}


def draw(score: Score, samples: Samples, path: Path) -> None:
    """Writes a PNG of 900 pixels width. `samples` has two channels."""
    height = WAVE_HEIGHT + SPECTRUM_HEIGHT + ROLL_HEIGHT + 2 * GAP
    image = Image.new("RGB", (WIDTH, height), _BACKGROUND)
    image.paste(_waveform(samples), (0, 0))
    image.paste(_spectrogram(samples), (0, WAVE_HEIGHT + GAP))
    image.paste(_piano_roll(score), (0, WAVE_HEIGHT + SPECTRUM_HEIGHT + 2 * GAP))
    # The colours of the notes are few among those of the spectrogram; this method keeps what differs most.
    image.quantize(24, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


def _waveform(samples: Samples) -> Image.Image:
    image = Image.new("RGB", (WIDTH, WAVE_HEIGHT), _BACKGROUND)
    pen, middle = ImageDraw.Draw(image), WAVE_HEIGHT // 2
    for column, part in enumerate(np.array_split(samples.mean(axis=1), WIDTH)):
        high, low = (part.max(), part.min()) if len(part) else (0.0, 0.0)
        pen.line((column, middle - high * middle, column, middle - low * middle), fill=_INK)
    return image


def _spectrogram(samples: Samples) -> Image.Image:
    """Levels over 80 dB, the frequency on a logarithmic scale from 40 Hz to 16 kHz."""
    step = max(256, len(samples) // (2 * WIDTH))
    hertz, _, power = signal.spectrogram(samples.mean(axis=1), RATE, nperseg=4096, noverlap=max(0, 4096 - step))
    wanted = np.geomspace(_HIGHEST_HERTZ, _LOWEST_HERTZ, SPECTRUM_HEIGHT)
    rows = power[np.clip(np.searchsorted(hertz, wanted), 0, len(hertz) - 1)]
    level = 10 * np.log10(rows + 1e-14)
    shade = np.clip((level - level.max() + _RANGE_DB) / _RANGE_DB, 0, 1)
    colours = np.stack((255 * (1 - shade**1.2), 255 * (1 - 0.85 * shade), 250 - 130 * shade), axis=2)
    return Image.fromarray(colours.astype(np.uint8)).resize((WIDTH, SPECTRUM_HEIGHT))


def _piano_roll(score: Score) -> Image.Image:
    image = Image.new("RGB", (WIDTH, ROLL_HEIGHT), _BACKGROUND)
    pen, scale = ImageDraw.Draw(image), WIDTH / score.seconds
    for bar in range(score.bars + 1):
        x = bar * score.beats_per_bar * score.beat_seconds * scale
        pen.line((x, 0, x, ROLL_HEIGHT), fill=_GRID)
    for section in score.sections:
        x = section.start_bar * score.beats_per_bar * score.beat_seconds * scale
        pen.line((x, 0, x, ROLL_HEIGHT), fill=(150, 150, 150))
        pen.text((x + 3, 2), f"{section.letter} {section.energy:.2f}", fill=(120, 120, 120))
    for seconds, voice, note in score.events():
        y = ROLL_HEIGHT - (note.pitch - 28) * ROLL_HEIGHT / 72
        right = min(score.seconds, seconds + note.length * score.beat_seconds)
        pen.rectangle(
            (seconds * scale, y - 2, max(right * scale - 1, seconds * scale), y + 1),
            fill=_colour(voice.role, note.velocity),
        )
    return image


def _colour(role: str, velocity: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(_ROLES[role], 0.35 + 0.5 * velocity, 0.75)
    return round(255 * red), round(255 * green), round(255 * blue)
