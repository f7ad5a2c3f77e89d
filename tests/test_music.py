"""What makes it music: the figures of a piece, measured on its samples; each rejects a planted fault."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

from studio import brief, encoding
from studio.engines.base import Cancelled
from studio.engines.computed import ENGINES
from studio.mastering.loudness import LoudnessMeter
from studio.mastering.master import TARGET_LUFS
from studio.production import produce
from studio.score import Note, Score, Voice, to_midi
from studio.synthesis.mixer import Mixer
from studio.theory import pitch_classes
from tools.testing import music_analysis as analysis
from tools.testing.music_analysis import RATE, Signal

pytestmark = pytest.mark.slow
SECONDS = 60
PROMPTS = (
    ("studio", "lofi beats to study"),
    ("studio", "sad piano in D minor, 72 bpm"),
    ("studio", "fröhlicher Walzer"),
    ("studio", "energetic rock 140 bpm"),
    ("drift", "ambient space, sleep"),
)
each_piece = pytest.mark.parametrize(("engine", "prompt"), PROMPTS, ids=[prompt[:12] for _, prompt in PROMPTS])


class Heard(NamedTuple):
    score: Score
    samples: Signal


@cache
def heard(engine: str, prompt: str, seconds: float = SECONDS, mode: str = "creation", seed: int = 0) -> Heard:
    """A piece as it comes out of its FLAC file; one for each prompt and run."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "piece.flac")
        piece = produce(ENGINES[engine], brief.read(prompt, seconds, mode=mode, seed=seed), path, lambda _share: None)
        samples, _ = soundfile.read(path)
    return Heard(piece.score, samples)


def rendered(score: Score) -> Signal:
    """The mix of a score, before mastering."""
    return np.concatenate(list(Mixer(score).blocks()))


@each_piece
def test_length_loudness_and_peaks(engine: str, prompt: str) -> None:
    _, samples = heard(engine, prompt)
    assert abs(len(samples) / RATE - SECONDS) < 0.1
    assert abs(analysis.loudness(samples) - TARGET_LUFS["creation"]) < 0.5
    assert analysis.true_peak(samples) <= -1.0
    assert np.abs(samples).max() < 0.999
    assert abs(samples.mean()) < 1e-3
    assert analysis.longest_silence(samples) < 1.0
    assert not analysis.loudness(0.8 * samples) > TARGET_LUFS["creation"] - 0.5


@pytest.mark.parametrize("seconds", [1, 2, 3, 7.5, 12, 31])
@pytest.mark.parametrize("mode", ["creation", "focus"])
def test_any_length_is_exact(seconds: float, mode: str) -> None:
    _, samples = heard("studio", "calm piano", seconds, mode)
    assert abs(len(samples) / RATE - seconds) < 0.1
    assert abs(analysis.loudness(samples) - TARGET_LUFS[mode]) < 0.5


@each_piece
def test_the_asked_tempo_is_heard(engine: str, prompt: str) -> None:
    score, samples = heard(engine, prompt)
    if not score.has_pulse:
        assert engine == "drift" or not brief.read(prompt, SECONDS).drums
        return
    assert abs(analysis.tempo_near(samples, score.tempo) / score.tempo - 1) < 0.01


def test_a_wrong_tempo_would_be_heard() -> None:
    score, samples = heard(*PROMPTS[0])
    slower = np.repeat(samples, 2, axis=0)[::2]
    stretched = np.stack(
        [np.interp(np.arange(0, len(slower), 0.97), np.arange(len(slower)), side) for side in slower.T], axis=1
    )
    assert abs(analysis.tempo_near(stretched, score.tempo) / score.tempo - 1) > 0.01


@each_piece
def test_pitched_energy_is_in_the_scale(engine: str, prompt: str) -> None:
    score, samples = heard(engine, prompt)
    assert analysis.share_in_scale(samples, pitch_classes(score.tonic, score.scale)) >= 0.9


def test_a_voice_off_key_would_be_heard() -> None:
    score, _ = heard(*PROMPTS[1])
    off = tuple(
        replace(voice, notes=tuple(replace(note, pitch=note.pitch + 1) for note in voice.notes))
        if voice.role == "melody"
        else voice
        for voice in score.voices
    )
    spoiled = rendered(replace(score, voices=off))
    assert analysis.share_in_scale(spoiled, pitch_classes(score.tonic, score.scale)) < 0.97
    wrong = {(pitch + 6) % 12 for pitch in pitch_classes(score.tonic, score.scale)}
    assert analysis.share_in_scale(rendered(score), wrong) < 0.9


def test_every_note_is_of_the_scale() -> None:
    for engine, prompt in PROMPTS:
        score, _ = heard(engine, prompt)
        allowed = pitch_classes(score.tonic, score.scale)
        strays = [
            note
            for voice in score.voices
            if voice.role != "drums"
            for note in voice.notes
            if note.pitch % 12 not in allowed
        ]
        assert not strays, (prompt, strays[:3])


@each_piece
def test_sections_return_with_change(engine: str, prompt: str) -> None:
    score, samples = heard(engine, prompt)
    bar = score.beats_per_bar * score.beat_seconds
    sections = [section for section in score.sections if section.letter != "I"]
    bounds = [(section.start_bar * bar, (section.start_bar + section.bars) * bar) for section in sections]
    alike = analysis.similarity(samples, bounds)
    pairs = [(i, j) for i in range(len(sections)) for j in range(i)]
    equal = [alike[pair] for pair in pairs if sections[pair[0]].letter == sections[pair[1]].letter]
    others = [alike[pair] for pair in pairs if sections[pair[0]].letter != sections[pair[1]].letter]
    assert not others or np.mean(equal) > np.mean(others)
    assert max(equal) < 0.999, "a section was copied"


def test_no_section_is_equal_to_the_sample() -> None:
    score, samples = heard(*PROMPTS[3])
    bar = round(score.beats_per_bar * score.beat_seconds * RATE)
    first, *others = [
        samples[section.start_bar * bar :][: section.bars * bar] for section in score.sections if section.letter == "A"
    ]
    for other in others:
        count = min(len(first), len(other))
        assert np.abs(first[:count] - other[:count]).max() > 0.01


def test_one_seed_gives_one_piece_and_another_seed_another() -> None:
    wanted = brief.read("folk guitar", 12, seed=5)
    one, again = (rendered(ENGINES["studio"].compose(wanted)) for _ in range(2))
    other = rendered(ENGINES["studio"].compose(brief.read("folk guitar", 12, seed=6)))
    assert np.array_equal(one, again)
    assert np.abs(one - other).max() > 0.01


def test_the_stems_add_up_to_the_mix() -> None:
    score = ENGINES["studio"].compose(brief.read("lofi beats", 12))
    roles = sorted({voice.role for voice in score.voices})
    stems = [np.concatenate(list(Mixer(score, role).blocks())) for role in roles]
    mix = rendered(score)
    assert len(roles) > 2
    assert analysis.decibels(float(np.abs(sum(stems) - mix).max()) / float(np.abs(mix).max())) < -60
    without = sum(stems[1:])
    assert analysis.decibels(float(np.abs(without - mix).max()) / float(np.abs(mix).max())) > -60


@each_piece
def test_stereo_survives_mono(engine: str, prompt: str) -> None:
    _, samples = heard(engine, prompt)
    assert analysis.stereo_correlation(samples) > 0
    assert analysis.mono_loss(samples) < 3
    assert analysis.mono_loss(samples * np.array([1, -1])) > 3


def test_our_meter_agrees_with_pyloudnorm() -> None:
    _, samples = heard(*PROMPTS[0])
    meter = LoudnessMeter()
    for start in range(0, len(samples), 10_000):
        meter.add(samples[start : start + 10_000])
    assert abs(meter.integrated() - analysis.loudness(samples)) < 0.1


def test_progress_never_falls_and_cancelling_stops_the_work(tmp_path: Path) -> None:
    shares: list[float] = []
    produce(ENGINES["drift"], brief.read("calm", 5), tmp_path / "a.mp3", shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)

    def cancel(share: float) -> None:
        if share > 0.1:
            raise Cancelled

    with pytest.raises(Cancelled):
        produce(ENGINES["studio"], brief.read("calm", 30), tmp_path / "b.mp3", cancel)


@pytest.mark.parametrize("form", encoding.MEDIA_TYPES)
def test_every_form_can_be_read_again(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"piece.{form}"
    piece = produce(ENGINES["drift"], brief.read("calm", 4), path, lambda _share: None)
    samples, rate = soundfile.read(path)
    assert rate == RATE
    assert abs(len(samples) / RATE - piece.seconds) < 0.1
    assert piece.media_type == encoding.MEDIA_TYPES[form]


def test_a_score_can_be_written_as_midi() -> None:
    import io

    import mido

    score = ENGINES["studio"].compose(brief.read("waltz", 30))
    file = mido.MidiFile(file=io.BytesIO(to_midi(score)))
    sounded = sum(message.type == "note_on" for track in file.tracks for message in track)
    assert sounded == sum(len(voice.notes) for voice in score.voices)
    assert abs(file.length - score.seconds) < 1.0


def test_a_clipped_peak_would_be_seen() -> None:
    _, samples = heard(*PROMPTS[0])
    assert analysis.true_peak(np.clip(samples * 1.5, -1, 1)) > -1.0


def test_a_voice_without_notes_is_silent() -> None:
    score = ENGINES["studio"].compose(brief.read("calm", 5))
    silent = replace(score, voices=(Voice("melody", "piano", (Note(400.0, 1.0, 60, 0.5),)),))
    assert analysis.longest_silence(rendered(silent)) > 1.0
