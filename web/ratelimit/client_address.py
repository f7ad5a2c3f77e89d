"""Client address of a request, also behind trusted proxies.

Decision 41.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

import structlog

from web.asgi import Scope

log = structlog.get_logger("web.ratelimit.client_address")
_UNKNOWN_CLIENT = ("", 0)


class TrustedProxies:
    """The proxies whose X-Forwarded-For header is used."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks = [ip_network(network, strict=False) for network in trusted]
        self._warned = False
        self.rate_limit_key = lru_cache(4096)(_rate_limit_key)
        self._is_trusted = lru_cache(4096)(self._is_in_networks)

    def client_address(self, scope: Scope) -> str:
        """The client's address: the last one in X-Forwarded-For that is no trusted proxy, or else the peer's."""
        peer: str = (scope.get("client") or _UNKNOWN_CLIENT)[0]
        if self._networks and self._is_trusted(peer):
            peer = next((hop for hop in _hops(scope) if not self._is_trusted(hop)), peer)
        return self.rate_limit_key(peer) if ":" in peer else peer

    def peer_address(self, peer: str) -> str | None:
        """The address against which a connection counts; None for a trusted proxy, which has connections of many."""
        return None if self._networks and self._is_trusted(peer) else self.rate_limit_key(peer)

    def warn_once(self, scope: Scope) -> None:
        """Logs one warning when requests have X-Forwarded-For but no proxy is trusted: its clients share a quota."""
        if not self._warned and not self._networks and any(_hops(scope)):
            self._warned = True
            log.warning("all clients of a proxy share one address quota: add it to MUSIC_STUDIO_TRUSTED_PROXIES")

    def _is_in_networks(self, text: str) -> bool:
        try:
            address = ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _hops(scope: Scope) -> list[str]:
    """The addresses in X-Forwarded-For, nearest first."""
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [hop.strip()[:64] for hop in reversed(",".join(lines).split(",")) if hop.strip()]


def _rate_limit_key(text: str) -> str:
    """The IPv4 address, or the /64 network of an IPv6 address, which usually belongs to one customer."""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
    return text
