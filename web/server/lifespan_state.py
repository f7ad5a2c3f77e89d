"""Keys of the ASGI lifespan state, in which server and application tell each other what they need."""

from __future__ import annotations

from models.exceptions import Unavailable
from web.context import current_request

DRAINING = "draining"
# Counts a malformed request against its address; returns the rate-limit headers for its error response.
RATE_LIMIT_HOOK = "rate_limit_hook"
# The application's ErrorCatalog, for errors that the server itself answers.
ERROR_CATALOG = "error_catalog"


def require_not_draining() -> None:
    """Raises Unavailable once the server has begun to stop: it still answers, but wants no new clients.

    The server says so in the state that ASGI hands down with every request (ASGI lifespan, "Lifespan State").
    """
    if current_request.get().scope.get("state", {}).get(DRAINING):
        raise Unavailable("The server is about to stop")
