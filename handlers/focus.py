"""Operations of the tag `focus`: music that goes on, in segments."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from generated import wire
from models import engines, focus_sessions
from models.access import Caller
from models.base import now
from models.engines import EngineSettings
from models.exceptions import InvalidValue
from models.focus_sessions import Segment, Session, Wish
from studio.engines.catalog import Capabilities
from studio.targets import TARGET_LUFS
from web import playback
from web.context import current_request
from web.http.idempotency import body_fingerprint
from web.responses import WithStatus, format_timestamps

ACCEPTED = 202
MODE = "focus"
DEFAULT_INTENSITY: wire.FocusIntensity = "medium"
DEFAULT_DIVERGENCE = 0.4


def list_focus_sessions(
    organization_id: str, status: str | None, limit: int, offset: int, caller: Caller
) -> wire.FocusSessionPage:
    rows = focus_sessions.list_page(caller, organization_id, status, limit, offset)
    moment = now()
    return {"items": [_view(row, moment, []) for row in rows], "limit": limit, "offset": offset}


def start_focus_session(
    organization_id: str, body: wire.FocusSessionCreate, caller: Caller, idempotency_key: str | None
) -> WithStatus[wire.FocusSession]:
    fingerprint = body_fingerprint(body)
    session, is_new = focus_sessions.of_key(caller, organization_id, idempotency_key, fingerprint), False
    if session is None:
        engine, price = _usable(body.get("engine"))
        wish = _wish(body, engine, idempotency_key, fingerprint)
        audio_mib = current_request.get().generation.organization_audio_mib
        session, is_new = focus_sessions.start(caller, organization_id, wish, price.cents_per_minute, audio_mib)
    return WithStatus(_whole(session), ACCEPTED, {} if is_new else {"idempotent-replayed": "true"})


def get_focus_session(organization_id: str, session_id: str, caller: Caller) -> wire.FocusSession:
    session = focus_sessions.get(caller, organization_id, session_id)
    current_request.get().seen = focus_sessions.Seen(organization_id, caller.user_id, session_id)
    return _whole(session)


def end_focus_session(organization_id: str, session_id: str, caller: Caller) -> wire.FocusSession:
    return _whole(focus_sessions.end(caller, organization_id, session_id))


def _usable(key: str | None) -> tuple[Capabilities, EngineSettings]:
    """The engine, or the first one for this mode, and its price. Raises InvalidValue for one that cannot be used."""
    known = current_request.get().generation.engines
    for engine in known.values() if key is None else filter(None, [known.get(key)]):
        setting = engines.get(engine.key)
        if setting.enabled and (key is not None or _is_able(engine)):
            if not _is_able(engine):
                raise InvalidValue("/engine", "unsupported", "The engine does not make focus sessions.")
            return engine, setting
    raise InvalidValue("/engine", "reference", "There is no such engine.")


def _is_able(engine: Capabilities) -> bool:
    return MODE in engine.modes and engine.max_duration_seconds >= focus_sessions.SEGMENT_SECONDS


def _wish(body: wire.FocusSessionCreate, engine: Capabilities, key: str | None, fingerprint: bytes) -> Wish:
    prompt = body.get("custom_prompt") if body["goal"] == "custom_prompt" else None
    if prompt is None and body["goal"] == "custom_prompt":
        raise InvalidValue("/custom_prompt", "required", "The goal custom_prompt needs a prompt.")
    return Wish(
        goal=body["goal"],
        engine=engine.key,
        custom_prompt=prompt,
        intensity=body.get("intensity", DEFAULT_INTENSITY),
        divergence_percent=round(100 * body.get("divergence", DEFAULT_DIVERGENCE)),
        target_minutes=body["target_minutes"],
        idempotency_key=key,
        fingerprint=fingerprint,
    )


def _whole(session: Session) -> wire.FocusSession:
    """The session with its segments."""
    return _view(session, now(), list(map(_segment, focus_sessions.segments(session))))


def _segment(segment: Segment) -> wire.FocusSegment:
    return {
        "segment_index": segment.segment_index,
        "playback_url": playback.segment_url(segment),
        "measured_duration_seconds": segment.duration_ms / 1000,
        "target_lufs": TARGET_LUFS[MODE],
        "fade_in_ms": segment.fade_ms,
        "fade_out_ms": segment.fade_ms,
    }


def _view(session: Session, moment: datetime, segments: list[wire.FocusSegment]) -> wire.FocusSession:
    ready_at = focus_sessions.next_ready_at(session, moment)
    return {
        "session_id": session.id,
        "status": cast("wire.FocusStatus", session.status),
        "goal": cast("wire.FocusGoal", session.goal),
        "engine": session.engine,
        "target_minutes": session.target_minutes,
        "total_segments": session.total_segments,
        "ready_count": session.ready_count,
        "segments": segments,
        "more_pending": session.more_pending,
        "next_ready_at": None if ready_at is None else format_timestamps([ready_at])[0],
    }
