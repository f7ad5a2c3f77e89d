"""CORS headers (Fetch standard): cross-origin requests are allowed only for the origins that the operator lists.

Decision 91.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from web.contract.reading import operations
from web.contract.security import places

# Headers of every operation, which the contract does not list as parameters.
_REQUEST = ("Content-Type", "Prefer", "X-Request-ID", "traceparent", "tracestate")
# Headers that the server adds to the documented ones of a response.
ADDED = ("Deprecation", "Link", "Preference-Applied", "Server-Timing", "Sunset")
ANY = "*"


class CORSPolicy:
    """The allowed origins, compared exactly, or `*` for all; without any, no response has CORS headers.

    Scripts may send the headers that are parameters or credentials of the contract, and read those of its responses.
    """

    def __init__(self, allowed: tuple[str, ...], document: dict[str, Any]) -> None:
        found = list(operations(document))
        credentials = (place.name for place in places(document).values() if place.kind == "header")
        parameters = (name for operation in found for name in operation.parameter_names("header"))
        documented = (name for o in found for response in o.by_status.values() for name in response.get("headers", {}))
        self._allowed = {origin.encode("latin-1") for origin in allowed}
        self._allows_any = ANY in allowed
        self._request_headers = _listed([*_REQUEST, *credentials, *parameters])
        self._response_headers = _listed([*ADDED, *documented])

    def headers(self, request: dict[bytes, bytes]) -> dict[str, str]:
        """The CORS headers of a response to an allowed origin; empty for any other origin."""
        allowed = self._allowed_origin(request)
        if allowed is None:
            return {}
        return {
            "access-control-allow-origin": allowed.decode("latin-1"),
            "access-control-expose-headers": self._response_headers,
        }

    def preflight(self, request: dict[bytes, bytes], methods: str) -> dict[str, str]:
        """The additional headers of the response to a preflight request from an allowed origin."""
        if self._allowed_origin(request) is None or b"access-control-request-method" not in request:
            return {}
        fields = {"allow-methods": methods, "allow-headers": self._request_headers, "max-age": "600"}
        return {f"access-control-{name}": value for name, value in fields.items()}

    def _allowed_origin(self, request: dict[bytes, bytes]) -> bytes | None:
        """The value of Access-Control-Allow-Origin, or None; `*` is enough, because no credential is a cookie."""
        origin = request.get(b"origin")
        if origin is None or self._allows_any:
            return None if origin is None else ANY.encode()
        return origin if origin in self._allowed else None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names), key=str.lower))
