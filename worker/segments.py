"""From a segment of a focus session to an audio file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from models.focus_queries import Session
from models.focus_work import SegmentWork
from models.generation_work import Work
from studio import focus, production
from studio.composing import draws
from studio.composing.draws import Draws
from studio.engines.base import Progress
from studio.engines.command_catalog import Program
from studio.engines.computed import ENGINES
from studio.focus import Wish
from studio.production import Finished
from worker.production import SUFFIX, Made, by_program, capable, made

MODE = "focus"


def make(work: SegmentWork, programs: Mapping[str, Program], spool: Path, progress: Progress) -> Made:
    """Makes the segment in the folder `spool`.

    Raises EngineFailed, EngineRefused, OSError if a disk is full, and what `progress` raises.
    """
    session, path = work.session, spool / f"{work.id}{SUFFIX}"
    capabilities = capable(session.engine, MODE, session.segment_seconds, programs)
    wish = _wish(work)
    brief = focus.session_brief(wish)
    if session.engine in ENGINES:
        streams = _draws(session, session.next_index)
        before = _draws(session, session.next_index - 1) if session.next_index else None
        piece = production.produce(ENGINES[session.engine], brief, path, progress, spool, streams, before)
        finished = Finished(piece.seconds, piece.waveform)
    else:
        finished = by_program(_as_job(work, focus.words(wish)), programs[session.engine], brief, path, progress)
    fade_ms = round(1000 * min(brief.fade_seconds, finished.seconds / 3))  # a program may have made less than asked
    return made(path, finished, capabilities, fade_ms)


def _draws(session: Session, index: int) -> Draws:
    return draws.of_segment(session.seed, index, session.divergence_percent / 100)


def _wish(work: SegmentWork) -> Wish:
    session = work.session
    prompt = session.custom_prompt or ""
    return Wish(session.goal, prompt, session.intensity, session.engine, session.segment_seconds, session.seed)


def _as_job(work: SegmentWork, prompt: str) -> Work:
    """What a program is told of a segment: the same as of a job, with a seed of its own."""
    session = work.session
    return Work(
        organization_id=session.organization_id,
        id=work.id,
        user_id=session.user_id,
        engine=session.engine,
        mode=MODE,
        prompt=prompt,
        duration_seconds=session.segment_seconds,
        instrumental=True,
        lyrics=None,
        seed_track_id=None,
        style_tags="[]",
        title=None,
        seed=session.seed + session.next_index,
        cost_cents=session.segment_cents,
        attempt=session.attempt,
        worker_id=session.worker_id or "",
        created_at=session.created_at,
        trace_context=None,
    )
