"""Server-Timing, for callers who prefer to see it where the operator lets them."""

from __future__ import annotations

import time

from web.context import Exchange
from web.responses import Answer

PREFERENCE = b"server-timing"


def fields(exchange: Exchange, answer: Answer) -> dict[str, str]:
    """The server's share of the time, for `Prefer: server-timing` (RFC 7240, W3C Server Timing).

    Strangers and refusals get none: how long a refusal took could tell what the refusal itself does not.
    """
    if exchange.caller is None or answer.status != exchange.operation.success:
        return {}
    if not any(_name(preference) == PREFERENCE for preference in exchange.headers.get(b"prefer", b"").split(b",")):
        return {}
    return {"server-timing": f"app;dur={(time.perf_counter() - exchange.started) * 1000:.1f}"}


def _name(preference: bytes) -> bytes:
    return preference.partition(b";")[0].strip().lower()
