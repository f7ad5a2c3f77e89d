"""Operations of the tag `generations`: jobs that make music."""

from __future__ import annotations

from typing import cast

from generated import wire
from models import engines, generations
from models.access import Caller
from models.engines import EngineSettings
from models.exceptions import InvalidValue
from models.generations import Job, Order
from studio.engines.catalog import Capabilities
from web.context import current_request
from web.http.idempotency import body_fingerprint
from web.responses import WithStatus, format_timestamps

ACCEPTED = 202


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
        settings = current_request.get().generation
        engine, price = _usable(body["engine"])
        order = _order(body, engine, key, fingerprint)
        job, is_new = generations.create(
            caller, organization_id, order,
            cents_per_minute=price.cents_per_minute, max_active_jobs=settings.max_active_jobs,
        )  # fmt: skip
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


def _order(body: wire.GenerationCreate, engine: Capabilities, key: str | None, fingerprint: bytes) -> Order:
    """Raises InvalidValue for what the engine cannot do."""
    mode, is_instrumental = body.get("mode", "creation"), body.get("instrumental", False)
    seconds, lyrics, seed_track_id = body["duration_seconds"], body.get("lyrics"), body.get("seed_track_id")
    if seconds > engine.max_duration_seconds:
        longest = f"The engine makes at most {engine.max_duration_seconds} seconds."
        raise InvalidValue("/duration_seconds", "maximum", longest)
    if mode not in engine.modes:
        raise InvalidValue("/mode", "unsupported", "The engine does not have this mode.")
    if lyrics and not engine.supports_lyrics:
        raise InvalidValue("/lyrics", "unsupported", "The engine takes no lyrics.")
    if lyrics and is_instrumental:
        raise InvalidValue("/lyrics", "unsupported", "An instrumental piece has no lyrics.")
    if seed_track_id and not engine.supports_continuation:
        raise InvalidValue("/seed_track_id", "unsupported", "The engine cannot continue a track.")
    return Order(
        engine.key, mode, body["prompt"], seconds, is_instrumental or not engine.supports_vocals, lyrics,
        seed_track_id, body.get("style_tags", []), body.get("title"), key, fingerprint,
    )  # fmt: skip


def _whole(job: Job) -> wire.Job:
    """The job with its track."""
    return _view(job, *format_timestamps([job.created_at]))


def _view(job: Job, created_at: str) -> wire.Job:
    return {
        "id": job.id,
        "status": cast("wire.JobStatus", job.status),
        "progress": job.progress,
        "engine": job.engine,
        "mode": cast("wire.EngineMode", job.mode),
        "created_at": created_at,
        "result_track_id": job.result_track_id,
        "error_message": job.error_message,
        "refusal_reason": job.refusal_reason,
        "playback_url": None,
        "track": None,
    }
