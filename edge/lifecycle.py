"""Whether the server that a request came through is about to stop."""

from __future__ import annotations

from edge.exchange import current
from models.failures import Unavailable

DRAINING = "draining"


def demand_running() -> None:
    """Raises Unavailable once the server has begun to stop: it still answers, but wants no new clients.

    The server says so in the state that ASGI hands down with every request (ASGI lifespan, "Lifespan State").
    """
    if current.get().scope.get("state", {}).get(DRAINING):
        raise Unavailable("The server is about to stop")
