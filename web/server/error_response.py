"""Error response to a malformed request: the error envelope with `connection: close`, sent by the server itself."""

from __future__ import annotations

from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from web.context import new_request_id
from web.exceptions import RequestError
from web.server.cycle import DEFAULT_HEADER_CACHE
from web.server.lifespan_state import DEFAULT_HEADERS, ERROR_CATALOG, RATE_LIMIT_HOOK
from web.telemetry.metrics import request_metrics

log = structlog.get_logger("web.server.error_response")


def serialize(
    error: RequestError, app_state: dict[str, Any], server_state: ServerState, peer: str, head_only: bool
) -> bytes:
    """The encoded response; logs and counts the request. `head_only`: the method was HEAD, so no content."""
    request_id = new_request_id()
    response = app_state[ERROR_CATALOG].to_response(error, request_id)
    log.info("request", trace_id=request_id, status=response.status, refused=error.system_message)
    if request_metrics.on:
        request_metrics.observe(None, response.status, 0.0)
    response = response._replace(headers=response.headers | {"connection": "close"})
    headers = app_state[DEFAULT_HEADERS].encode(response, request_id, app_state[RATE_LIMIT_HOOK](peer))
    defaults = DEFAULT_HEADER_CACHE.lines(server_state.default_headers)
    return b"".join((STATUS_LINE[response.status], defaults, headers, b"\r\n", b"" if head_only else response.body))
