"""Memory limiter: which connections are closed when addresses, or the process, hold too much."""

from collections.abc import Callable

import pytest

from web.ratelimit.client_address import TrustedProxies
from web.server.memory_limiter import CONNECTION_BYTES, GOAL, ConnectionMemory, MemoryLimiter

KIB = 1024


class Connections:
    """Connections with names; `closed` are the names of those that the limiter has closed, in order."""

    def __init__(self, limiter: MemoryLimiter) -> None:
        self.limiter = limiter
        self.closed: list[str] = []
        self.open: dict[str, ConnectionMemory] = {}

    def connect(self, name: str, peer: str, kib: int = 0) -> None:
        self.open[name] = self.limiter.connect(peer, self._closer(name))
        self.limiter.resize(self.open[name], kib * KIB)

    def _closer(self, name: str) -> Callable[[], None]:
        return lambda: self.closed.append(name)


def connections(process_kib: int, address_kib: int, *proxies: str) -> Connections:
    return Connections(MemoryLimiter(process_kib * KIB, address_kib * KIB, TrustedProxies(proxies).peer_address))


def test_the_largest_connection_of_the_address_that_holds_most_is_closed_first() -> None:
    found = connections(1000, 1000)
    found.connect("honest, large", "192.0.2.1", 250)
    for name, kib in (("small", 10), ("largest", 200), ("middle", 150)):
        found.connect(name, "192.0.2.2", kib)
    assert not found.closed
    found.connect("last", "192.0.2.3", 350)
    assert found.closed == ["largest"]
    assert found.limiter.held <= 1000 * KIB * GOAL


def test_many_small_connections_of_one_address_are_closed_before_a_larger_one_of_another() -> None:
    found = connections(1000, 1000)
    found.connect("large", "192.0.2.1", 300)
    for number in range(60):
        found.connect(f"small {number}", "192.0.2.2")
    assert found.closed
    assert "large" not in found.closed


def test_address_over_its_limit_loses_its_largest_connections() -> None:
    found = connections(10_000, 100)
    found.connect("other", "192.0.2.1", 60)
    found.connect("first", "192.0.2.2", 50)
    found.connect("second", "192.0.2.2", 40)
    assert found.closed == ["first"]


@pytest.mark.parametrize("peers", [("2001:db8::1", "2001:db8::2"), ("::ffff:192.0.2.1", "192.0.2.1")])
def test_addresses_of_one_client_count_together(peers: tuple[str, str]) -> None:
    found = connections(10_000, 100)
    for peer in peers:
        found.connect(peer, peer, 60)
    assert len(found.closed) == 1


def test_connections_of_a_trusted_proxy_count_alone() -> None:
    found = connections(1000, 100, "192.0.2.0/24")
    for number in range(10):
        found.connect(f"proxied {number}", "192.0.2.1", 60)
    assert not found.closed
    found.connect("large", "192.0.2.1", 80)
    found.connect("direct", "198.51.100.1", 70)
    found.connect("last", "198.51.100.2", 70)
    assert found.closed[0] == "large"


def test_address_whose_connections_were_closed_counts_again() -> None:
    found = connections(100, 1000)
    found.connect("first", "192.0.2.1", 200)
    found.connect("second", "192.0.2.1", 10)
    found.limiter.disconnect(found.open["first"])
    found.limiter.resize(found.open["second"], 200 * KIB)
    assert found.closed == ["first", "second"]


def test_closed_connections_are_counted_no_more() -> None:
    found = connections(1000, 1000)
    for number in range(10):
        found.connect(str(number), "192.0.2.1", 60)
    assert found.limiter.held == 10 * (60 * KIB + CONNECTION_BYTES)
    for connection in [*found.open.values(), found.open["0"]]:
        found.limiter.disconnect(connection)
        found.limiter.resize(connection, 900 * KIB)
    assert found.limiter.held == 0
    assert not found.closed
