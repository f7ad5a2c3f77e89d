"""What differs between a job and a segment of a focus session, for a worker that makes either."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from models import focus_work, generation_work
from models.audio import StoredAudio
from models.focus_work import SegmentWork
from models.generation_work import Work
from models.tracks import new_track_id
from studio.engines.base import Progress
from studio.engines.command_catalog import Program
from worker import production, segments, tracks
from worker.policy import Policy
from worker.production import Made


class Task(Protocol):
    """Something that a worker has taken. What writes raises Lost once it is the worker's no more."""

    @property
    def id(self) -> str: ...
    @property
    def organization_id(self) -> str: ...
    @property
    def engine(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def seconds(self) -> int:
        """The length of what is asked for."""

    @property
    def trace_context(self) -> str | None:
        """The `traceparent` of the request, or None if it had none."""

    @property
    def audio_id(self) -> str:
        """The id that the name of the audio begins with."""

    def refusal(self, policy: Policy) -> str | None:
        """Why the policy refuses it, or None."""

    def make(self, programs: Mapping[str, Program], spool: Path, progress: Progress) -> Made:
        """Makes the audio file. Raises EngineFailed, EngineRefused, OSError, and what `progress` raises."""

    def require_held(self) -> None: ...
    def report_progress(self, percent: int) -> None: ...
    def succeed(self, made: Made, stored: StoredAudio) -> None: ...
    def has_made(self, stored: StoredAudio) -> bool:
        """Whether it has ended with this audio."""

    def fail(self, message: str) -> None: ...
    def refuse(self, reason: str) -> None: ...
    def retry(self, message: str) -> None: ...
    def give_back(self) -> None: ...


class JobTask:
    """A job, which becomes a track."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.id, self.organization_id = work.id, work.organization_id
        self.engine, self.attempt = work.engine, work.attempt
        self.seconds, self.trace_context = work.duration_seconds, work.trace_context
        self.audio_id = new_track_id()

    def refusal(self, policy: Policy) -> str | None:
        work = self._work
        return policy.refusal(work.prompt, work.lyrics or "", work.title or "", *work.tags)

    def make(self, programs: Mapping[str, Program], spool: Path, progress: Progress) -> Made:
        return production.make(self._work, programs, spool, progress)

    def require_held(self) -> None:
        generation_work.require_held(self._work)

    def report_progress(self, percent: int) -> None:
        generation_work.report_progress(self._work, percent)

    def succeed(self, made: Made, stored: StoredAudio) -> None:
        generation_work.succeed(self._work, lambda: tracks.add(self._work, self.audio_id, made, stored))

    def has_made(self, stored: StoredAudio) -> bool:
        del stored
        return generation_work.has_made(self._work, self.audio_id)

    def fail(self, message: str) -> None:
        generation_work.fail(self._work, message)

    def refuse(self, reason: str) -> None:
        generation_work.refuse(self._work, reason)

    def retry(self, message: str) -> None:
        generation_work.retry(self._work, message)

    def give_back(self) -> None:
        generation_work.give_back(self._work)


class SegmentTask:
    """The next segment of a focus session. What cannot be made ends the session; what is ready stays."""

    def __init__(self, work: SegmentWork) -> None:
        self._work = work
        self.id, self.organization_id = work.id, work.organization_id
        self.engine, self.attempt = work.engine, work.attempt
        self.seconds, self.trace_context = work.session.segment_seconds, None  # no request asks for a segment
        self.audio_id = work.id

    def refusal(self, policy: Policy) -> str | None:
        return policy.refusal(self._work.session.custom_prompt or "")

    def make(self, programs: Mapping[str, Program], spool: Path, progress: Progress) -> Made:
        return segments.make(self._work, programs, spool, progress)

    def require_held(self) -> None:
        focus_work.require_held(self._work)

    def report_progress(self, percent: int) -> None:
        del percent  # a session has none
        focus_work.require_held(self._work)

    def succeed(self, made: Made, stored: StoredAudio) -> None:
        focus_work.succeed(self._work, stored, made.duration_ms, made.fade_ms)

    def has_made(self, stored: StoredAudio) -> bool:
        return focus_work.has_made(self._work, stored.name)

    def fail(self, message: str) -> None:
        del message
        focus_work.end(self._work)

    def refuse(self, reason: str) -> None:
        del reason
        focus_work.end(self._work)

    def retry(self, message: str) -> None:
        del message
        focus_work.retry(self._work)

    def give_back(self) -> None:
        focus_work.give_back(self._work)


def of(work: Work | SegmentWork) -> Task:
    """The task of what a worker has taken."""
    return JobTask(work) if isinstance(work, Work) else SegmentTask(work)
