"""The worst figure of a hundred pieces, for each figure that makes a piece music."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import soundfile

from studio import brief
from studio.engines.computed import ENGINES
from studio.mastering.master import TARGET_LUFS
from studio.production import produce
from studio.score import Score
from studio.theory import pitch_classes
from tools.endurance.report import Figure, at_most
from tools.music.prompts import Prompt
from tools.testing import music_analysis as analysis
from tools.testing.music_analysis import RATE, Signal

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one piece; None where a figure does not apply."""

    prompt: Prompt
    seconds_off: float
    loudness_off: float
    true_peak: float
    offset: float
    silence: float
    tempo_off: float | None
    outside_scale: float
    sections: float | None
    copy: float | None
    correlation: float
    mono_loss: float
    times_real_time: float
    score: Score
    fingerprint: Signal


def measure(prompt: Prompt, mode: str = "creation", seconds: float = SECONDS) -> Measured:
    """Makes a piece as MP3 and measures what comes out of the file."""
    wanted = brief.read(prompt.text, seconds, tags=prompt.tags, mode=mode)
    with tempfile.TemporaryDirectory() as folder:
        path, started = Path(folder, "piece.mp3"), time.process_time()
        score = produce(ENGINES[prompt.engine], wanted, path, lambda _share: None).score
        took = time.process_time() - started
        samples, _ = soundfile.read(path)
    equal, others = _likeness(score, samples)
    return Measured(
        prompt=prompt,
        seconds_off=abs(len(samples) / RATE - seconds),
        loudness_off=abs(analysis.loudness(samples) - TARGET_LUFS[mode]),
        true_peak=analysis.true_peak(samples),
        offset=float(abs(samples.mean())),
        silence=analysis.longest_silence(samples),
        tempo_off=_tempo_off(score, samples),
        outside_scale=1 - analysis.share_in_scale(samples, pitch_classes(score.tonic, score.scale)),
        sections=float(np.mean(equal) - np.mean(others)) if equal and others else None,
        copy=max(equal, default=None),
        correlation=analysis.stereo_correlation(samples),
        mono_loss=analysis.mono_loss(samples),
        times_real_time=seconds / took,
        score=score,
        fingerprint=analysis.fingerprint(samples),
    )


def _tempo_off(score: Score, samples: Signal) -> float | None:
    return abs(analysis.tempo_near(samples, score.tempo) / score.tempo - 1) if score.has_pulse else None


def _likeness(score: Score, samples: Signal) -> tuple[list[float], list[float]]:
    """How alike the sections of each pair are: those of one letter, and those of two."""
    bar = score.beats_per_bar * score.beat_seconds
    sections = [section for section in score.sections if section.letter != "I"]
    alike = analysis.similarity(samples, [(s.start_bar * bar, (s.start_bar + s.bars) * bar) for s in sections])
    pairs = list(combinations(range(len(sections)), 2))
    equal = [float(alike[i, j]) for i, j in pairs if sections[i].letter == sections[j].letter]
    others = [float(alike[i, j]) for i, j in pairs if sections[i].letter != sections[j].letter]
    return equal, others


def figures(pieces: list[Measured]) -> Iterator[Figure]:
    """The worst of each figure, with its limit."""
    yield _worst("length off by", pieces, "seconds_off", 0.1, " s")
    yield _worst("loudness off by", pieces, "loudness_off", 0.5, " LU")
    yield _worst("true peak of the MP3", pieces, "true_peak", -1.0 + 0.5, " dBTP")
    yield _worst("constant offset", pieces, "offset", 1e-3)
    yield _worst("longest silence", pieces, "silence", 1.0, " s")
    yield _worst("tempo off by", pieces, "tempo_off", 0.01)
    yield _worst("pitched energy outside of the scale", pieces, "outside_scale", 0.1)
    yield _worst("loss in mono", pieces, "mono_loss", 3.0, " dB")
    yield _least("correlation of left and right", pieces, "correlation", 0.0)
    yield _least("sections of one letter more alike than others by", pieces, "sections", 0.0)
    yield _worst("a section and its return alike by", pieces, "copy", 0.999)
    yield _least("times real time, with MP3, by processor time", pieces, "times_real_time", 15.0)
    yield _least_distance(pieces)


def _values(pieces: list[Measured], name: str) -> list[tuple[float, str]]:
    found = [(getattr(piece, name), piece.prompt.text[:30] or " ".join(piece.prompt.tags)) for piece in pieces]
    return [(value, text) for value, text in found if value is not None]


def _worst(what: str, pieces: list[Measured], name: str, limit: float, unit: str = "") -> Figure:
    values = _values(pieces, name)
    value, text = max(values)
    return at_most(f"{what} ({len(values)} pieces, worst: {text})", "-", value, limit, unit)


def _least(what: str, pieces: list[Measured], name: str, limit: float) -> Figure:
    values = _values(pieces, name)
    value, text = min(values)
    return Figure(f"{what} ({len(values)} pieces, worst: {text})", "-", f"{value:.3g}", f">= {limit:g}", value >= limit)


def _least_distance(pieces: list[Measured]) -> Figure:
    """No two pieces are alike: the smallest distance of two fingerprints; a piece has 0 to itself."""
    distance, one, other = min(
        (float(np.linalg.norm(a.fingerprint - b.fingerprint)), a.prompt.text[:20], b.prompt.text[:20])
        for a, b in combinations(pieces, 2)
    )
    return Figure(f"smallest distance of two ({one!r}, {other!r})", "-", f"{distance:.3g}", ">= 0.1", distance >= 0.1)
