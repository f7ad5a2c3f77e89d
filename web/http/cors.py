"""CORS headers (Fetch standard): cross-origin requests are allowed only for the origins that the operator lists."""

from __future__ import annotations

_ALLOWED = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, X-API-Key, "
    "X-Request-ID, traceparent, tracestate"
)
_EXPOSED = (
    "Deprecation, ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, Server-Timing, Sunset, "
    "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-ID"
)


class CORSPolicy:
    """The allowed origins, compared exactly; without any, no response has CORS headers."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = {origin.encode("latin-1") for origin in allowed}

    def headers(self, request: dict[bytes, bytes]) -> dict[str, str]:
        """The CORS headers of a response to an allowed origin; empty for any other origin."""
        origin = request.get(b"origin")
        if origin not in self._allowed:
            return {}
        return {"access-control-allow-origin": origin.decode("latin-1"), "access-control-expose-headers": _EXPOSED}

    def preflight(self, request: dict[bytes, bytes], methods: str) -> dict[str, str]:
        """The additional headers of the response to a preflight request from an allowed origin."""
        if request.get(b"origin") not in self._allowed or b"access-control-request-method" not in request:
            return {}
        fields = {"allow-methods": methods, "allow-headers": _ALLOWED, "max-age": "600"}
        return {f"access-control-{name}": value for name, value in fields.items()}
