"""Operations of the tag `generations`: jobs that make music."""

from __future__ import annotations

from typing import cast

from generated import wire
from models import engines, generations, tracks
from models.access import Caller
from models.engines import EngineSettings
from models.exceptions import InvalidValue
from models.generations import Job, JobLimits, Order
from models.tracks import Track
from studio.engines.catalog import BYTES_PER_SECOND, Capabilities
from web import playback
from web.context import current_request
from web.http.idempotency import body_fingerprint
from web.responses import WithStatus, format_timestamps
from web.telemetry.tracing import trace_context

ACCEPTED = 202
DEFAULT_MODE: wire.TrackMode = "creation"


def list_generations(organization_id: str, status: str | None, limit: int, offset: int, caller: Caller) -> wire.JobPage:
    rows = generations.list_page(caller, organization_id, status, limit, offset)
    created = format_timestamps([row.created_at for row in rows])
    return {"jobs": list(map(_view, rows, created)), "limit": limit, "offset": offset}


def create_generation(
    organization_id: str, body: wire.GenerationCreate, caller: Caller, idempotency_key: str | None
) -> WithStatus[wire.Job]:
    key, fingerprint = idempotency_key or body.get("idempotency_key"), body_fingerprint(body, without="idempotency_key")
    job, is_new = generations.of_key(caller, organization_id, key, fingerprint), False
    if job is None:
        engine, price = _usable(body["engine"])
        _require_possible(engine, body)
        order, limits = _order(body, engine, key, fingerprint), _limits(price)
        job, is_new = generations.create(caller, organization_id, order, limits)
    return WithStatus(_whole(job), ACCEPTED, {} if is_new else {"idempotent-replayed": "true"})


def get_generation(organization_id: str, job_id: str, caller: Caller) -> wire.Job:
    return _whole(generations.get(caller, organization_id, job_id))


def cancel_generation(organization_id: str, job_id: str, caller: Caller) -> wire.Job:
    return _whole(generations.cancel(caller, organization_id, job_id))


def _usable(key: str) -> tuple[Capabilities, EngineSettings]:
    """The engine and its price. Raises InvalidValue for one that does not exist or is switched off."""
    engine, setting = current_request.get().generation.engines.get(key), engines.get(key)
    if engine is None or not setting.enabled:
        raise InvalidValue("/engine", "reference", "There is no such engine.")
    return engine, setting


def _limits(price: EngineSettings) -> JobLimits:
    settings = current_request.get().generation
    return JobLimits(
        price.cents_per_minute, settings.max_active_jobs, settings.organization_audio_mib, BYTES_PER_SECOND
    )


def _require_possible(engine: Capabilities, body: wire.GenerationCreate) -> None:
    """Raises InvalidValue for what the engine cannot do."""
    if body["duration_seconds"] > engine.max_duration_seconds:
        longest = f"The engine makes at most {engine.max_duration_seconds} seconds."
        raise InvalidValue("/duration_seconds", "maximum", longest)
    if body.get("mode", DEFAULT_MODE) not in engine.modes:
        raise InvalidValue("/mode", "unsupported", "The engine does not have this mode.")
    if body.get("lyrics") and not engine.supports_lyrics:
        raise InvalidValue("/lyrics", "unsupported", "The engine takes no lyrics.")
    if body.get("lyrics") and body.get("instrumental"):
        raise InvalidValue("/lyrics", "unsupported", "An instrumental piece has no lyrics.")
    if body.get("seed_track_id") and not engine.supports_continuation:
        raise InvalidValue("/seed_track_id", "unsupported", "The engine cannot continue a track.")


def _order(body: wire.GenerationCreate, engine: Capabilities, key: str | None, fingerprint: bytes) -> Order:
    return Order(
        engine=engine.key,
        mode=body.get("mode", DEFAULT_MODE),
        prompt=body["prompt"],
        duration_seconds=body["duration_seconds"],
        instrumental=body.get("instrumental", False) or not engine.supports_vocals,
        lyrics=body.get("lyrics") or None,
        seed_track_id=body.get("seed_track_id"),
        style_tags=body.get("style_tags", []),
        title=body.get("title"),
        idempotency_key=key,
        fingerprint=fingerprint,
        trace_context=trace_context(),
    )


def _whole(job: Job) -> wire.Job:
    """The job with its track, unless that is deleted."""
    [created_at] = format_timestamps([job.created_at])
    if job.result_track_id is None:
        return _view(job, created_at)
    track = tracks.find(job.organization_id, job.result_track_id)
    return _view(job, created_at, None if track is None else _track_view(track))


def _track_view(track: Track) -> wire.JobTrack:
    return {
        "id": track.id,
        "title": track.title,
        "engine": track.engine,
        "mode": cast("wire.TrackMode", track.mode),
        "instrumental": track.instrumental,
        "measured_duration_seconds": None if track.duration_ms is None else track.duration_ms / 1000,
        "mime_type": track.mime_type,
        "licence_class": cast("wire.LicenceClass", track.licence_class),
        "playback_url": playback.url(track),
    }


def _view(job: Job, created_at: str, track: wire.JobTrack | None = None) -> wire.Job:
    return {
        "id": job.id,
        "status": cast("wire.JobStatus", job.status),
        "progress": job.progress,
        "engine": job.engine,
        "mode": cast("wire.TrackMode", job.mode),
        "created_at": created_at,
        "result_track_id": job.result_track_id,
        "error_message": job.error_message,
        "refusal_reason": job.refusal_reason,
        "playback_url": None if track is None else track["playback_url"],
        "track": track,
    }
