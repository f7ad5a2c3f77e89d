"""Default headers: the header fields of every response of one contract, and the encoding of a header section."""

from __future__ import annotations

from typing import Any

from web.contract.security import places
from web.number_cache import FormattedNumbers
from web.responses import Response, encode_headers

_LENGTH = FormattedNumbers(b"content-length: %d\r\n".__mod__)


class DefaultHeaders:
    """The header fields of every response of one contract; a response's own fields replace them.

    `Vary` names the header of every credential, because a response may depend on it (RFC 9110 section 12.5.5).
    """

    def __init__(self, document: dict[str, Any]) -> None:
        credentials = {place.name for place in places(document).values() if place.kind == "header"}
        self.fields = {
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
            "cache-control": "no-store",
            "vary": ", ".join(sorted({"Accept", "Origin", *credentials})),
        }
        self._names, self._encoded = frozenset(self.fields), encode_headers(self.fields)

    def encode(self, response: Response, request_id: str, extra: bytes) -> bytes:
        """The encoded headers of a response: defaults, the response's own, which replace them, and `extra` lines."""
        own, fixed = response.headers, self._encoded
        if not self._names.isdisjoint(own):
            fixed = encode_headers({name: value for name, value in self.fields.items() if name not in own})
        size = len(response.body) if response.pieces is None else response.length
        length = b"" if size is None or response.status in (204, 304) else _LENGTH[size]
        return b"".join((fixed, encode_headers(own), b"x-request-id: ", request_id.encode(), b"\r\n", extra, length))
