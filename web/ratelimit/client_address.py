"""Client address of a request, also behind trusted proxies: the peer's, or the one that a proxy names in a header.

Decision 41.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import structlog

from web.asgi import Scope

log = structlog.get_logger("web.ratelimit.client_address")
Address = IPv4Address | IPv6Address
UNKNOWN = "unknown"
"""The client of every request without an address: a Unix socket, or a hop such as `unknown` or `_hidden`."""
MAX_HOPS = 32
MAX_HOP_LENGTH = 128
_NO_PEER = ("", 0)
# IPv4 with an optional port, IPv6 in brackets with an optional zone and port, IPv6 with an optional zone.
_HOP = re.compile(
    r"([0-9]+(?:\.[0-9]+){3})(?::[\w.-]*)?|\[([0-9A-Fa-f:.]+)(?:%[^\]]*)?\](?::[\w.-]*)?|([0-9A-Fa-f:.]+)(?:%.*)?",
    re.ASCII,
)
_LEADING_ZEROS = re.compile(r"(?<![0-9A-Fa-f])0+(?=[0-9A-Fa-f])")
# One forwarded-pair of RFC 7239 section 4, or nothing.
_PAIR = r'[ \t]*+(?:([\w!#$%&\'*+.^`|~-]++)=("(?:[^"\\]|\\.)*+"|[^",; \t]*+))?[ \t]*+'
_PAIRS = re.compile(f"(?<![^,;]){_PAIR}([,;]|$)", re.ASCII)
_FORWARDED = re.compile(f"{_PAIR}(?:[,;]{_PAIR})*+", re.ASCII)


class TrustedProxies:
    """The proxies whose X-Forwarded-For and Forwarded headers are used."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks = [_network(text) for text in trusted]
        self._warned = False
        self._is_trusted = lru_cache(4096)(self._is_in_networks)

    def client_address(self, scope: Scope) -> str:
        """The rate limit key of the client: the nearest hop that is no trusted proxy, or else the peer."""
        peer: str = (scope.get("client") or _NO_PEER)[0]
        if self._networks and self._is_trusted(peer):
            peer = next((hop for hop in _hops(scope) if not self._is_trusted(hop)), peer)
        return rate_limit_key(peer)

    def peer_address(self, peer: str) -> str | None:
        """The address against which a connection counts; None for a trusted proxy, which has connections of many."""
        return None if self._networks and self._is_trusted(peer) else rate_limit_key(peer)

    def warn_once(self, scope: Scope) -> None:
        """Logs one warning when requests name a client but no proxy is trusted: its clients share a quota."""
        if not self._warned and not self._networks and any(_hops(scope)):
            self._warned = True
            log.warning("all clients of a proxy share one address quota: add it to MUSIC_STUDIO_TRUSTED_PROXIES")

    def _is_in_networks(self, hop: str) -> bool:
        address = parse_address(hop)
        return address is not None and any(address in network for network in self._networks)


@lru_cache(4096)
def rate_limit_key(hop: str) -> str:
    """The IPv4 address, the /64 network of an IPv6 address (it usually belongs to one customer), or UNKNOWN."""
    address = parse_address(hop)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return UNKNOWN if address is None else str(address)


def parse_address(hop: str) -> Address | None:
    """The address of a peer or hop, or None. A port, a zone, brackets and leading zeros do not make another address.

    An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) is the IPv4 address.
    """
    parts = _HOP.fullmatch(hop)
    if parts is None:
        return None
    try:
        address = ip_address(_LEADING_ZEROS.sub("", parts[1] or parts[2] or parts[3]))
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _network(text: str) -> IPv4Network | IPv6Network:
    """The network of a setting; one of IPv4-mapped addresses is the IPv4 network."""
    network = ip_network(text, strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return network if mapped is None or network.prefixlen < 96 else IPv4Network((mapped, network.prefixlen - 96))


def _hops(scope: Scope) -> list[str]:
    """The nearest 32 hops, nearest first, of X-Forwarded-For; of Forwarded if there is no X-Forwarded-For."""
    lines = _values(scope, b"x-forwarded-for")
    if lines:
        hops = [hop.strip(' \t"') for hop in reversed(",".join(lines).rsplit(",", MAX_HOPS)[-MAX_HOPS:])]
    else:
        hops = [hop for line in reversed(_values(scope, b"forwarded")) for hop in _forwarded_for(line)][:MAX_HOPS]
    return [hop if len(hop) <= MAX_HOP_LENGTH else UNKNOWN for hop in hops if hop]


def _values(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]


def _forwarded_for(line: str) -> list[str]:
    """The `for` of each element of one Forwarded field, nearest first (RFC 7239 sections 4 and 5.2).

    An element without `for` is UNKNOWN, and so is a field that is not valid: a client that opens a quoted string in it
    could otherwise hide the element that the proxy adds.
    """
    if len(line) > MAX_HOPS * MAX_HOP_LENGTH or not _FORWARDED.fullmatch(line):
        return [UNKNOWN]
    hops = [UNKNOWN]
    for name, value, separator in _PAIRS.findall(line):
        if name.lower() == "for":
            hops[-1] = re.sub(r"\\(.)", r"\1", value.strip('"'))
        if separator == ",":
            hops.append(UNKNOWN)
    return hops[::-1]
