"""Listener: many simultaneous connections, connections during shutdown, and exhausted file descriptors."""

import asyncio
import contextlib
import itertools
import socket
import sys
from pathlib import Path

import pytest

from models.db import migrate
from tools.testing import databases
from tools.testing.server_process import Running, running
from web.server.config import ServerConfig
from web.server.listener import MIN_ACCEPTS, Listener
from web.server.process import GracefulServer
from web.server.protocol import Protocol
from web.server.sockets import refuse_new_connections

CONNECTIONS = 100
PAUSED = "accept paused, out of file descriptors"
FREE_FILE_DESCRIPTORS = 4


class RecordingProtocol(asyncio.Protocol):
    """Adds itself to a list when it is connected."""

    def __init__(self, connected: list[asyncio.Protocol]) -> None:
        self._connected = connected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connected.append(self)


def test_new_connections_are_accepted_as_fast_as_open_ones_are_answered() -> None:
    assert asyncio.run(_accepted_per_iteration(answered=CONNECTIONS)) == [CONNECTIONS]


def test_new_connections_do_not_hold_up_open_ones() -> None:
    accepted = asyncio.run(_accepted_per_iteration(answered=0))
    assert sum(accepted) == CONNECTIONS
    assert max(accepted) <= MIN_ACCEPTS


async def _accepted_per_iteration(answered: int) -> list[int]:
    """Numbers of connections accepted in each loop iteration, of 100 that wait.

    `answered` is the number of requests that open connections got answers to before the first iteration.
    """
    connected: list[asyncio.Protocol] = []
    counts, requests = [0], 0
    with contextlib.ExitStack() as closing:
        listening = closing.enter_context(socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS))
        listening.setblocking(False)
        for _ in range(CONNECTIONS):
            closing.enter_context(socket.create_connection(listening.getsockname()))
        listener = Listener(listening, lambda: RecordingProtocol(connected), lambda: requests)
        requests = answered
        while len(connected) < CONNECTIONS:
            await asyncio.sleep(0)
            counts.append(len(connected))
        listener.close()
        await listener.wait_closed()
    return [after - before for before, after in itertools.pairwise(counts) if after > before]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux filters the segments of a socket")
def test_refused_connections_leave_the_accept_queue_as_it_is() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as early,
    ):
        refuse_new_connections(listening)
        with pytest.raises(TimeoutError):
            socket.create_connection(listening.getsockname(), timeout=0.3)
        accepted = listening.accept()[0]
        early.sendall(b"x")
        assert accepted.recv(1) == b"x"
        accepted.close()


@pytest.mark.parametrize("iterations", range(5))
def test_shutdown_closes_connections_accepted_while_draining(iterations: int) -> None:
    assert asyncio.run(_connections_after_shutdown(iterations)) == 0


async def _connections_after_shutdown(iterations: int) -> int:
    """Number of connections after the shutdown, which starts so many loop iterations after a client connects."""
    config = ServerConfig(
        _unexpected_request, interface="asgi3", http=Protocol, ws="none", lifespan="off", timeout_graceful_shutdown=1
    )
    config.load()
    server = GracefulServer(config)
    server.lifespan = config.lifespan_class(config)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    await server.startup([listening])
    with socket.create_connection(listening.getsockname()):
        for _ in range(iterations):
            await asyncio.sleep(0)
        await server.shutdown([listening])
        return len(server.server_state.connections)


async def _unexpected_request(_scope: object, _receive: object, _send: object) -> None:
    raise AssertionError("no request was sent")


@pytest.mark.slow
def test_clients_wait_when_file_descriptors_run_out(tmp_path: Path) -> None:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    with running(url, tmp_path) as server, contextlib.ExitStack() as closing:
        with server.files_limited(FREE_FILE_DESCRIPTORS):
            *accepted, waiting = _connect_until_one_waits(server, closing)
            assert accepted, "no connection was accepted"
            for connection in accepted:
                connection.close()
            waiting.settimeout(10)
            assert waiting.recv(12) == b"HTTP/1.1 200"
        assert PAUSED in server.await_log(PAUSED)


def _connect_until_one_waits(server: Running, closing: contextlib.ExitStack) -> list[socket.socket]:
    """Opens connections until one gets no response; that one is the last."""
    connections: list[socket.socket] = []
    while not connections or _gets_response(connections[-1]):
        # The server may have closed files since they were counted.
        assert len(connections) < 3 * FREE_FILE_DESCRIPTORS, "every connection was accepted"
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=1.5)
        connections.append(closing.enter_context(connection))
    return connections


def _gets_response(connection: socket.socket) -> bool:
    connection.sendall(b"GET /v1/health/live HTTP/1.1\r\nHost: studio\r\n\r\n")
    try:
        return bool(connection.recv(65536))
    except TimeoutError:
        return False
