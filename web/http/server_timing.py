"""The Server-Timing header, sent for `Prefer: server-timing` if the operator enables it.

Decision 21.
"""

from __future__ import annotations

import time

from web.context import RequestContext
from web.responses import Response

PREFERENCE = b"server-timing"


def headers(context: RequestContext, response: Response) -> dict[str, str]:
    """The time in the server in milliseconds, for `Prefer: server-timing` (RFC 7240, W3C Server Timing).

    Only for authenticated callers and success responses: the time of a refusal could reveal its reason.
    """
    if context.caller is None or not 200 <= response.status < 300:
        return {}
    if not any(_name(preference) == PREFERENCE for preference in context.headers.get(b"prefer", b"").split(b",")):
        return {}
    return {"server-timing": f"app;dur={(time.perf_counter() - context.started) * 1000:.1f}"}


def _name(preference: bytes) -> bytes:
    return preference.partition(b";")[0].strip().lower()
