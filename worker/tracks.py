"""The track of a finished job, and its audio."""

from __future__ import annotations

import structlog

from models import tracks
from models.audio import StoredAudio
from models.audio_store import AudioStore
from models.exceptions import AudioUnavailable
from models.generation_work import Work
from worker.production import Made

log = structlog.get_logger("worker.tracks")


def add(work: Work, track_id: str, made: Made, stored: StoredAudio) -> str:
    """Inserts the track; it belongs to the caller as its creator, and is in no library. In an open transaction."""
    tracks.add(
        work.organization_id,
        work.user_id,
        track_id=track_id,
        title=work.title,
        duration_ms=made.duration_ms,
        engine=work.engine,
        mode=work.mode,
        instrumental=work.instrumental or not made.engine.supports_vocals,
        licence_class=made.engine.licence_class,
        commercial_use=made.engine.commercial_use,
        requires_attribution=made.engine.requires_attribution,
        audio=stored,
        waveform=made.waveform,
    )
    return track_id


def discard(store: AudioStore, stored: StoredAudio) -> None:
    """Deletes audio that no row names; what cannot be deleted now is removed by the maintenance."""
    try:
        store.delete(stored.name)
    except AudioUnavailable as problem:
        log.warning("audio not deleted", object=stored.name, reason=problem.reason)
