"""Health check of a server on this machine, for example of a container."""

import http.client
from typing import Any

from ops.errors import CommandError

LIVE, READY = "/v1/health/live", "/v1/health/ready"
_EVERY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only compared with
TIMEOUT_SECONDS = 3.0


def check(host: str, port: int, *, ready: bool) -> dict[str, Any]:
    """Requests the liveness or readiness endpoint; returns URL and status. Raises CommandError unless it is 200."""
    path = READY if ready else LIVE
    connection = http.client.HTTPConnection(_EVERY_ADDRESS.get(host, host), port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise CommandError(
            f"The server on {host} port {port} does not respond ({reason}): start it, or name another --host or --port."
        ) from error
    finally:
        connection.close()
    if status != 200:
        raise CommandError(f"The server on {host} port {port} responds {status} to {path}: see its log.")
    return {"url": url(host, port) + path, "status": status, "healthy": True}


def url(host: str, port: int) -> str:
    """The address at which a server that listens on this host and port is asked on its own machine."""
    address = _EVERY_ADDRESS.get(host, host)
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
