"""From a job to an audio file: chooses the engine, and masters and encodes what it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.generation_work import Work
from studio import brief as briefs
from studio import production
from studio.brief import Brief
from studio.engines import command, wave_file
from studio.engines.base import EngineFailed, EngineRefused, Progress
from studio.engines.catalog import COMPUTED, Capabilities
from studio.engines.command_catalog import Program
from studio.engines.computed import ENGINES
from studio.production import Finished

SUFFIX = ".mp3"


@dataclass(frozen=True, slots=True)
class Made:
    """A finished audio file: its media type, its measured duration in milliseconds, its waveform, and its engine.

    `fade_ms` is how long a segment and its neighbours overlap.
    """

    path: Path
    media_type: str
    duration_ms: int
    waveform: bytes
    engine: Capabilities
    fade_ms: int = 0


def make(work: Work, programs: Mapping[str, Program], spool: Path, progress: Progress) -> Made:
    """Makes the piece of a job in the folder `spool`.

    Raises EngineFailed, EngineRefused, OSError if a disk is full, and what `progress` raises.
    """
    path = spool / f"{work.id}{SUFFIX}"
    capabilities = capable(work.engine, work.mode, work.duration_seconds, programs)
    brief = briefs.read(work.prompt, work.duration_seconds, tags=work.tags, mode=work.mode, seed=work.seed)
    if work.engine in ENGINES:
        piece = production.produce(ENGINES[work.engine], brief, path, progress, spool)
        finished = Finished(piece.seconds, piece.waveform)
    else:
        finished = by_program(work, programs[work.engine], brief, path, progress)
    return made(path, finished, capabilities)


def made(path: Path, finished: Finished, engine: Capabilities, fade_ms: int = 0) -> Made:
    """What was made, in the words of the database."""
    duration_ms = round(finished.seconds * 1000)
    return Made(path, production.media_type(path), duration_ms, finished.waveform, engine, fade_ms)


def capable(engine: str, mode: str, seconds: int, programs: Mapping[str, Program]) -> Capabilities:
    """What the engine can do now; since the request was accepted, the operator may have changed it.

    Raises EngineFailed for one that is gone, EngineRefused for one that cannot do this any more.
    """
    program = programs.get(engine)
    found = COMPUTED.get(engine) if program is None else program.capabilities
    if found is None:
        raise EngineFailed("The engine is not available any more.", f"no engine {engine}")
    if mode not in found.modes or seconds > found.max_duration_seconds:
        raise EngineRefused("The engine does not make pieces of this mode or length any more.")
    return found


def by_program(work: Work, program: Program, brief: Brief, path: Path, progress: Progress) -> Finished:
    """Runs a program, and masters and encodes what it made."""
    folder = path.parent / "program"
    folder.mkdir(mode=0o700)
    written = command.run(program, _request(work, brief), folder, progress)
    blocks = wave_file.blocks(written, work.duration_seconds)
    return production.finish(blocks, work.mode, path, progress, path.parent, brief.fade_seconds)


def _request(work: Work, brief: Brief) -> dict[str, Any]:
    """What a program is told: the request, and how our own engines would read it."""
    return {
        "version": 1,
        "engine": work.engine,
        "prompt": work.prompt,
        "style_tags": work.tags,
        "lyrics": work.lyrics,
        "title": work.title,
        "instrumental": work.instrumental,
        "mode": work.mode,
        "duration_seconds": work.duration_seconds,
        "seed": work.seed,
        "brief": {
            "tempo": brief.tempo,
            "beats_per_bar": brief.beats_per_bar,
            "tonic": brief.tonic,
            "scale": brief.scale,
            "valence": round(brief.valence, 3),
            "energy": round(brief.energy, 3),
            "instruments": list(brief.instruments),
            "drums": brief.drums,
        },
    }
