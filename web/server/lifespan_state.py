"""What the server and the application tell each other in the state of ASGI's lifespan."""

from __future__ import annotations

from models.exceptions import Unavailable
from web.context import current_request

DRAINING = "draining"
# The lines in the header of an answer to what the server refused before it was a request.
RATE_LIMIT_HOOK = "unheard"


def require_not_draining() -> None:
    """Raises Unavailable once the server has begun to stop: it still answers, but wants no new clients.

    The server says so in the state that ASGI hands down with every request (ASGI lifespan, "Lifespan State").
    """
    if current_request.get().scope.get("state", {}).get(DRAINING):
        raise Unavailable("The server is about to stop")
