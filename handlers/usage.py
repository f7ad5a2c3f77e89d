"""Operations of the tag `usage`: what a caller has used, and what the organization may spend."""

from __future__ import annotations

from typing import cast

from generated import wire
from models import money, usage
from models.access import Caller
from models.usage import WindowUsage
from web.responses import format_timestamps


def get_usage(organization_id: str, caller: Caller) -> wire.Usage:
    found = usage.of_caller(caller, organization_id)
    starts = format_timestamps([each.window.start for each in found])
    return {"organization_id": organization_id, "windows": list(map(_window, found, starts))}


def _window(used: WindowUsage, start: str) -> wire.UsageWindow:
    return {
        "window": cast("wire.UsageSpan", used.window.span),
        "window_start": start,
        "cost_chf": money.as_decimal(used.cost_cents),
        "limit_chf": None if used.limit_cents is None else money.as_decimal(used.limit_cents),
        "by_engine": [
            {"engine": each.engine, "track_count": each.track_count, "cost_chf": money.as_decimal(each.cost_cents)}
            for each in used.by_engine
        ],
    }
