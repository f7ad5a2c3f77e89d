"""Cross-origin requests: refused unless the operator lists the origin, by its exact spelling (Fetch standard, CORS)."""

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
    """The origins that browsers may call from; with none, no answer carries a CORS field."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = {origin.encode("latin-1") for origin in allowed}

    def headers(self, request: dict[bytes, bytes]) -> dict[str, str]:
        """The fields of any answer to an allowed origin."""
        origin = request.get(b"origin")
        if origin not in self._allowed:
            return {}
        return {"access-control-allow-origin": origin.decode("latin-1"), "access-control-expose-headers": _EXPOSED}

    def preflight(self, request: dict[bytes, bytes], methods: str) -> dict[str, str]:
        """The further fields of the answer to a preflight from an allowed origin."""
        if request.get(b"origin") not in self._allowed or b"access-control-request-method" not in request:
            return {}
        fields = {"allow-methods": methods, "allow-headers": _ALLOWED, "max-age": "600"}
        return {f"access-control-{name}": value for name, value in fields.items()}
