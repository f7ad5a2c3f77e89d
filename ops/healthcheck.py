"""Asks a server of this machine whether it answers, as a container's health check does."""

import http.client

from ops.errors import CommandError

LIVE, READY = "/v1/health/live", "/v1/health/ready"
EVERY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only compared with
PATIENCE_SECONDS = 3.0


def demand(host: str, port: int, *, ready: bool) -> None:
    """Raises Refusal unless the server answers that it is alive, or ready when that is asked for."""
    path = READY if ready else LIVE
    asked = http.client.HTTPConnection(EVERY_ADDRESS.get(host, host), port, timeout=PATIENCE_SECONDS)
    try:
        asked.request("GET", path)
        status = asked.getresponse().status
    except (OSError, http.client.HTTPException) as problem:
        raise CommandError(f"The server on {host} port {port} does not answer: {problem}.") from problem
    finally:
        asked.close()
    if status != 200:
        raise CommandError(f"The server on {host} port {port} answers {status} to {path}.")
