"""Memory limiter: the bytes that all connections of one process hold, and the order in which connections are closed.

Decision 68.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Hashable
from operator import attrgetter

import structlog

MIB = 1024 * 1024
# What one connection takes before it holds anything: socket, parser, timers, and a request without a large header.
CONNECTION_BYTES = 16 * 1024
# Past a limit, connections are closed until this share of it is in use, so that closing is not repeated at once.
GOAL = 7 / 8
LOG_SECONDS = 1.0
log = structlog.get_logger("web.server.memory_limiter")


class ConnectionMemory:
    """The bytes that one connection holds; `abort` closes it."""

    __slots__ = ("abort", "address", "held")

    def __init__(self, address: AddressMemory, abort: Callable[[], None]) -> None:
        self.address = address
        self.abort = abort
        self.held = 0


class AddressMemory:
    """The bytes that the connections of one client address hold."""

    __slots__ = ("client", "connections", "held")

    def __init__(self, client: Hashable) -> None:
        self.client = client
        self.connections: set[ConnectionMemory] = set()
        self.held = 0


def _ignore() -> None:
    """The `abort` of a closed connection."""


class MemoryLimiter:
    """Keeps the bytes held by one client address, and by all, below two limits.

    Past a limit, connections are closed: those of the address that holds most, the largest first. `client_address` maps
    the address of a peer to that of a client; None for a trusted proxy, each of whose connections counts alone.
    """

    def __init__(
        self, process_bytes: int, address_bytes: int, client_address: Callable[[str], str | None] = lambda peer: peer
    ) -> None:
        self.held = 0
        self._process_bytes, self._address_bytes = process_bytes, address_bytes
        self._client_address = client_address
        self._addresses: dict[Hashable, AddressMemory] = {}
        self._closed, self._logs_at = 0, 0.0

    def connect(self, peer: str, abort: Callable[[], None]) -> ConnectionMemory:
        """Counts a new connection; `abort` is called if it has to be closed."""
        client: Hashable = self._client_address(peer) or object()
        address = self._addresses.get(client)
        if address is None:
            address = self._addresses[client] = AddressMemory(client)
        connection = ConnectionMemory(address, abort)
        address.connections.add(connection)
        self.resize(connection, 0)
        return connection

    def resize(self, connection: ConnectionMemory, held: int) -> None:
        """Sets the bytes that a connection holds in addition to CONNECTION_BYTES; closes connections past a limit."""
        address = connection.address
        if connection not in address.connections:
            return
        self._add(connection, CONNECTION_BYTES + held - connection.held)
        if address.held > self._address_bytes:
            self._close_largest([(-address.held, 0, address)], address.held - self._address_bytes * GOAL)
        if self.held > self._process_bytes:
            addresses = [(-one.held, number, one) for number, one in enumerate(self._addresses.values())]
            self._close_largest(addresses, self.held - self._process_bytes * GOAL)

    def disconnect(self, connection: ConnectionMemory) -> None:
        """Removes a closed connection."""
        address = connection.address
        if connection not in address.connections:
            return
        self._add(connection, -connection.held)
        connection.abort = _ignore  # it refers to the connection
        address.connections.remove(connection)
        if not address.connections:
            del self._addresses[address.client]

    def _add(self, connection: ConnectionMemory, size: int) -> None:
        connection.held += size
        connection.address.held += size
        self.held += size

    def _close_largest(self, addresses: list[tuple[int, int, AddressMemory]], excess: float) -> None:
        """Closes connections that hold `excess` bytes in all, always of the address that holds most at that moment."""
        goal, closed = self.held - excess, 0
        heapq.heapify(addresses)
        while self.held > goal and addresses:
            _, number, address = heapq.heappop(addresses)
            second = -addresses[0][0] if addresses else 0
            for connection in sorted(address.connections, key=attrgetter("held"), reverse=True):
                abort = connection.abort
                self.disconnect(connection)
                abort()
                closed += 1
                if self.held <= goal or address.held < second:
                    break
            if address.connections:
                heapq.heappush(addresses, (-address.held, number, address))
        self._log_closed(closed)

    def _log_closed(self, closed: int) -> None:
        """Logs at most one line in a second."""
        self._closed += closed
        if time.monotonic() >= self._logs_at:
            log.warning("connections closed, memory limit reached", connections=self._closed, bytes_held=self.held)
            self._closed, self._logs_at = 0, time.monotonic() + LOG_SECONDS
