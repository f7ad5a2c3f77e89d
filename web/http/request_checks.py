"""Checks of the request line and header fields (RFC 9110, RFC 9112), and content negotiation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from web.context import RequestContext
from web.contract.operations import Operation
from web.exceptions import HeadersTooLarge, MalformedRequest, NotAcceptable, TargetTooLong

MAX_HEADER_FIELDS = 100
MAX_HEADER_BYTES = 32 * 1024
MAX_TARGET_BYTES = 8 * 1024
CLOSE = {"connection": "close"}
_SINGLE = frozenset(
    (b"authorization", b"content-encoding", b"content-length", b"content-type", b"expect", b"host", b"idempotency-key",
     b"if-match", b"if-none-match", b"if-range", b"origin", b"range", b"transfer-encoding", b"x-api-key",
     b"x-request-id")
)  # fmt: skip
_LOOK_ALIKES = frozenset(name.replace(b"-", b"_") for name in _SINGLE if b"-" in name)
_RARE = _LOOK_ALIKES | {b"transfer-encoding", b"expect", b"upgrade"}
# The characters of a path and query (RFC 3986 section 3): no spaces, `#`, quotes, brackets, `|`, `\\` or `^`.
_ORIGIN_FORM = re.compile(rb"/[!$-;=?-Z_a-z~]*")
_ABSOLUTE_FORM = re.compile(rb"https?://([^/?]+)((?:[/?][!$-;=?-Z_a-z~]*)?)", re.IGNORECASE)
_HOST = re.compile(rb"(?:[!$&-.0-9;=A-Z_a-z~%]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_RANGE = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*((?:;[^,]*)?)")
_WEIGHT = re.compile(r";\s*q=([01](?:\.[0-9]{0,3})?)\s*(?:;|$)", re.IGNORECASE)


def normalize_target(method: bytes, target: bytes) -> bytes:
    """The path and query of a request target, or `*` (RFC 9112 section 3.2).

    Raises MalformedRequest for any other form of a target, and for user information before the host.
    """
    if _ORIGIN_FORM.fullmatch(target) or (target == b"*" and method == b"OPTIONS"):
        return target
    absolute = _ABSOLUTE_FORM.fullmatch(target)
    if absolute is None or not _HOST.fullmatch(absolute[1]):
        raise MalformedRequest("The request target is neither in origin form nor a valid http URL", CLOSE)
    return absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]


def check_headers(context: RequestContext) -> None:
    """Checks the target and header of a request. Raises TargetTooLong, HeadersTooLarge, MalformedRequest."""
    scope, headers, fields = context.scope, context.headers, context.scope["headers"]
    if len(context.path) + len(scope["query_string"]) > MAX_TARGET_BYTES:
        raise TargetTooLong(f"The request target has more than {MAX_TARGET_BYTES} bytes")
    if len(fields) > MAX_HEADER_FIELDS:
        raise HeadersTooLarge(f"The request has more than {MAX_HEADER_FIELDS} header fields")
    if len(headers) != len(fields):
        _reject_duplicates(fields)
    _check_host(headers.get(b"host"), scope["http_version"])
    if not _RARE.isdisjoint(headers):
        _check_rare(headers, scope["http_version"])


def too_many_fields() -> HeadersTooLarge:
    """The error for more than 100 header fields or more than 32 KiB of them."""
    return HeadersTooLarge(
        f"The request has more than {MAX_HEADER_FIELDS} header fields or {MAX_HEADER_BYTES} bytes of them"
    )


def _check_rare(headers: dict[bytes, bytes], version: str) -> None:
    if not _LOOK_ALIKES.isdisjoint(headers):
        raise MalformedRequest("A header field name has underscores in place of hyphens")
    if b"transfer-encoding" in headers:
        _check_coding(headers[b"transfer-encoding"], version)
    if b"expect" in headers and headers[b"expect"].lower() != b"100-continue":
        raise MalformedRequest("The only supported expectation is 100-continue")
    if b"upgrade" in headers:
        _reject_websocket(headers[b"upgrade"])


def _reject_duplicates(fields: list[tuple[bytes, bytes]]) -> None:
    seen: set[bytes] = set()
    for name, _ in fields:
        if name in seen and name in _SINGLE:
            raise MalformedRequest(
                f"The header field {name.decode('ascii')} must not be repeated", CLOSE, field=name.decode("ascii")
            )
        seen.add(name)


def _check_host(host: bytes | None, version: str) -> None:
    """RFC 9112 section 3.2: one valid Host field, required in HTTP/1.1."""
    if host is None and version == "1.1":
        raise MalformedRequest("The request has no Host field", CLOSE)
    if host is not None and not _is_host(host):
        raise MalformedRequest("The Host field is not a valid host", CLOSE)


@lru_cache(64)
def _is_host(host: bytes) -> bool:
    """Whether a Host value is valid; cached, because almost every request has the same."""
    return _HOST.fullmatch(host) is not None


def _check_coding(coding: bytes, version: str) -> None:
    """RFC 9112 section 6.1: HTTP/1.0 has no transfer codings, and an unknown coding must be rejected."""
    if version != "1.1" or coding.lower() != b"chunked":
        raise MalformedRequest("The only supported transfer coding is chunked, in HTTP/1.1", CLOSE)


def _reject_websocket(upgrade: bytes) -> None:
    if b"websocket" in upgrade.lower():
        raise MalformedRequest("This API does not support WebSocket", CLOSE)


def negotiate(operation: Operation, context: RequestContext) -> None:
    """Checks Accept, Content-Type and Content-Encoding. Raises NotAcceptable, UnsupportedMediaType."""
    headers = context.headers
    if b"accept" in headers and not accepts(context, operation.produces):
        raise NotAcceptable(f"This operation answers {' or '.join(operation.produces)}")
    body = operation.body
    if body is not None and has_body(headers):
        if b"content-encoding" in headers and headers[b"content-encoding"].lower() != b"identity":
            raise body.unsupported("The body must not be encoded")
        body.media_type(headers.get(b"content-type", b""))


def has_body(headers: dict[bytes, bytes]) -> bool:
    """Whether the request has content (RFC 9112 section 6.3)."""
    return headers.get(b"content-length", b"").strip(b"0") != b"" or b"transfer-encoding" in headers


def accepts(context: RequestContext, produced: Sequence[str]) -> bool:
    """Whether Accept allows one of the media types; the most specific range decides (RFC 9110 section 12.5.1)."""
    text = _accept(context)
    if text == "*/*" or not text.strip() or not produced:
        return True
    ranges = _ranges(text)
    return any(_weight(ranges, media_type) > 0 for media_type in produced)


def prefers(context: RequestContext, wanted: str, other: str) -> bool:
    """Whether Accept gives one media type a greater weight than the other."""
    ranges = _ranges(_accept(context))
    return _weight(ranges, wanted) > _weight(ranges, other)


def _accept(context: RequestContext) -> str:
    return ",".join(value.decode("latin-1") for name, value in context.scope["headers"] if name == b"accept")


def _ranges(text: str) -> dict[str, str]:
    """The parameters of each media range."""
    return {m[1].lower(): m[2] for m in map(_RANGE.fullmatch, text.split(",")) if m}


def _weight(ranges: dict[str, str], produced: str) -> float:
    """From 0, not acceptable, to 1; a weight that is none counts as 1."""
    for candidate in (produced, produced.partition("/")[0] + "/*", "*/*"):
        if candidate in ranges:
            weight = _WEIGHT.search(ranges[candidate])
            return min(float(weight[1]), 1.0) if weight else 1.0
    return 0.0
