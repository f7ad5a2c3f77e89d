"""Operations of the tag `engines`: what makes music, and what it costs."""

from __future__ import annotations

from typing import cast

from generated import wire
from models import engines, money
from models.access import Caller
from models.engines import EngineSettings
from studio.engines.catalog import Capabilities
from web.context import current_request


def list_engines(organization_id: str, caller: Caller) -> wire.EngineList:
    changed = engines.list_all(caller, organization_id)
    found = sorted(current_request.get().generation.engines.items())
    listed = [(engine, changed.get(key, EngineSettings())) for key, engine in found]
    return {"items": [_view(engine, setting) for engine, setting in listed if setting.enabled]}


def _view(engine: Capabilities, setting: EngineSettings) -> wire.Engine:
    return {
        "engine_key": engine.key,
        "name": engine.name,
        "description": engine.description,
        "modes": list(cast("tuple[wire.TrackMode, ...]", engine.modes)),
        "max_duration_seconds": engine.max_duration_seconds,
        "supports_vocals": engine.supports_vocals,
        "supports_lyrics": engine.supports_lyrics,
        "supports_stems": engine.supports_stems,
        "supports_continuation": engine.supports_continuation,
        "languages": list(engine.languages),
        "licence_class": cast("wire.LicenceClass", engine.licence_class),
        "commercial_use": engine.commercial_use,
        "requires_attribution": engine.requires_attribution,
        "cost_chf_per_minute": money.as_decimal(setting.cents_per_minute),
    }
