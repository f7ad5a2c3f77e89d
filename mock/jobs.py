"""The jobs and segments of the mock: they move on as time passes, whenever a request looks, and become a short tone."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from time import monotonic

from models import focus_work, generation_work, tracks, turns
from models.audio_store import AudioStore
from models.focus_work import SegmentWork
from models.generation_work import Lost, Work
from ops import demo_audio
from studio.engines.catalog import Capabilities

WORKER = "mock"
QUEUED_SECONDS = 1.0
"""How long a job is queued."""
RUNNING_SECONDS = 3.0
"""How long a job is running."""
TONE_HERTZ, TONE_SECONDS = 330, 2
FADE_MS = 500


class MockWorker:
    """Takes the jobs and segments of the current database, and ends each with a tone in the store."""

    def __init__(self, store: AudioStore, engines: Mapping[str, Capabilities]) -> None:
        self._store = store
        self._engines = engines
        self._guard = Lock()
        self.reset()

    def reset(self) -> None:
        """Forgets the jobs and segments that it has taken."""
        with self._guard:
            self._asked = float("-inf")
            self._running: dict[str, tuple[Work | SegmentWork, float]] = {}

    def note_request(self) -> None:
        """Notes that somebody asks for music now."""
        self._asked = monotonic()

    def advance(self) -> None:
        """Moves every job and segment to where it stands by now."""
        with self._guard:
            moment = monotonic()
            if moment - self._asked >= QUEUED_SECONDS:
                while (work := turns.take(WORKER)) is not None:
                    self._running[work.id] = work, moment
            for work, since in list(self._running.values()):
                self._move(work, (moment - since) / RUNNING_SECONDS)

    def _move(self, work: Work | SegmentWork, share: float) -> None:
        try:
            if isinstance(work, SegmentWork):
                if share < 1:
                    return
                self._finish_segment(work)
            elif share < 1:
                generation_work.report_progress(work, int(100 * share))
                return
            else:
                self._finish(work)
        except Lost:
            pass  # its caller has cancelled it
        del self._running[work.id]

    def _finish_segment(self, work: SegmentWork) -> None:
        tone = demo_audio.tone(TONE_HERTZ, TONE_SECONDS)
        audio = self._store.write_bytes(work.organization_id, work.id, "audio/wav", tone)
        focus_work.succeed(work, audio, TONE_SECONDS * 1000, FADE_MS)

    def _finish(self, work: Work) -> None:
        track_id, seconds = tracks.new_track_id(), min(work.duration_seconds, TONE_SECONDS)
        tone = demo_audio.tone(TONE_HERTZ, seconds)
        audio = self._store.write_bytes(work.organization_id, track_id, "audio/wav", tone)
        engine = self._engines[work.engine]

        def add_track() -> str:
            tracks.add(
                work.organization_id,
                work.user_id,
                track_id=track_id,
                title=work.title,
                duration_ms=seconds * 1000,
                engine=work.engine,
                mode=work.mode,
                instrumental=work.instrumental,
                licence_class=engine.licence_class,
                commercial_use=engine.commercial_use,
                requires_attribution=engine.requires_attribution,
                audio=audio,
            )
            return track_id

        generation_work.succeed(work, add_track)
