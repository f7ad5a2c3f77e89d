"""Who connects is let in: soon when many come at once, and later when there is no file left for a connection."""

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest
from uvicorn import Config

from endure.running import Running, running
from models import migrate
from ops.accepting import Listener
from ops.serving import DrainingServer
from tests import databases

RUSH = 100
FREE_FILES = 4


class Counted(asyncio.Protocol):
    """Adds itself to those that are connected."""

    def __init__(self, connected: list[asyncio.Protocol]) -> None:
        self._connected = connected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connected.append(self)


def test_a_rush_is_let_in_within_few_turns() -> None:
    assert asyncio.run(_turns_for(RUSH)) < RUSH / 4


async def _turns_for(count: int) -> int:
    """How many turns of the loop it takes until so many clients, who come at once, are connected."""
    connected: list[asyncio.Protocol] = []
    with contextlib.ExitStack() as closing:
        listening = closing.enter_context(socket.create_server(("127.0.0.1", 0), backlog=count))
        listening.setblocking(False)
        for _ in range(count):
            closing.enter_context(socket.create_connection(listening.getsockname()))
        listener = Listener(listening, lambda: Counted(connected), connected)
        turns = 0
        while len(connected) < count:
            await asyncio.sleep(0)
            turns += 1
        listener.close()
        await listener.wait_closed()
    return turns


@pytest.mark.parametrize("turns", range(5))
def test_nobody_stays_behind_who_is_let_in_while_the_server_stops(turns: int) -> None:
    assert asyncio.run(_left_behind(turns)) == 0


async def _left_behind(turns: int) -> int:
    """How many are connected to a server that has stopped, so many turns of the loop after somebody came."""
    protocol = "edge.server:Protocol"
    config = Config(_unasked, interface="asgi3", http=protocol, ws="none", lifespan="off", timeout_graceful_shutdown=1)
    config.load()
    server = DrainingServer(config)
    server.lifespan = config.lifespan_class(config)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    await server.startup([listening])
    with socket.create_connection(listening.getsockname()):
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.shutdown([listening])
        return len(server.server_state.connections)


async def _unasked(_scope: object, _receive: object, _send: object) -> None:
    raise AssertionError("nobody has asked for anything")


@pytest.mark.slow
def test_without_free_files_clients_wait_for_others_to_leave(tmp_path: Path) -> None:
    url = databases.sqlite_url(tmp_path)
    migrate.upgrade(url)
    with running(url, tmp_path) as server:
        with server.files_limited(FREE_FILES), contextlib.ExitStack() as guests:
            for _ in range(FREE_FILES):
                assert _asked(guests.enter_context(_connected(server)))
            late = _connected(server)
            late.settimeout(1.5)
            with pytest.raises(TimeoutError):
                _asked(late)
            guests.close()
            late.settimeout(10)
            assert late.recv(12) == b"HTTP/1.1 200"
        assert "connections wait" in server.log_text()
        late.close()


def _connected(server: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def _asked(line: socket.socket) -> bytes:
    line.sendall(b"GET /v1/health/live HTTP/1.1\r\nHost: studio\r\n\r\n")
    return line.recv(65536)
