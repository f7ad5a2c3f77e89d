"""Keys of the ASGI lifespan state, through which server and application share objects."""

from __future__ import annotations

from models.exceptions import Unavailable
from web.context import current_request

DRAINING = "draining"
# Counts a malformed request against its address; returns the rate-limit headers for its error response.
RATE_LIMIT_HOOK = "rate_limit_hook"
# The application's ErrorCatalog, for the error responses that the server sends itself.
ERROR_CATALOG = "error_catalog"
# The DefaultHeaders of every response.
DEFAULT_HEADERS = "default_headers"
# The MemoryLimiter of the process.
MEMORY_LIMITER = "memory_limiter"
# The PipelineQueue of the process.
PIPELINE_QUEUE = "pipeline_queue"


def require_not_draining() -> None:
    """Raises Unavailable once the server is shutting down: it still serves requests, but should get no new clients.

    The server sets the flag in the state that is part of each request's scope (ASGI lifespan, "Lifespan State").
    """
    if current_request.get().scope.get("state", {}).get(DRAINING):
        raise Unavailable("The server is shutting down")
