"""One piece from a sentence, with its picture and its score, for people who want to hear an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio import brief
from studio.engines.base import Progress
from studio.engines.computed import ENGINES
from studio.production import Piece, produce
from studio.score import to_midi
from studio.theory import NOTE_NAMES

__all__ = ["ENGINES", "audition"]


def audition(
    prompt: str,
    path: Path,
    engine: str,
    seconds: float,
    mode: str,
    seed: int,
    picture: Path | None,
    midi: Path | None,
    progress: Progress,
) -> dict[str, Any]:
    """Writes the piece, and the picture and the MIDI file if they are named; returns what the piece is."""
    piece = produce(ENGINES[engine], brief.read(prompt, seconds, mode=mode, seed=seed), path, progress)
    if midi is not None:
        midi.write_bytes(to_midi(piece.score))
    if picture is not None:
        _draw(piece, path, picture)
    return _facts(piece, path, engine, seed)


def _draw(piece: Piece, path: Path, to: Path) -> None:
    import soundfile

    from studio import picture

    samples, _ = soundfile.read(path, dtype="float32")
    picture.draw(piece.score, samples, to)


def _facts(piece: Piece, path: Path, engine: str, seed: int) -> dict[str, Any]:
    score = piece.score
    return {
        "file": str(path),
        "engine": engine,
        "seed": seed,
        "seconds": round(piece.seconds, 3),
        "tempo": score.tempo,
        "key": f"{NOTE_NAMES[score.tonic]} {score.scale}",
        "sections": "".join(section.letter for section in score.sections),
        "voices": sorted({f"{voice.role}: {voice.instrument}" for voice in score.voices}),
    }
