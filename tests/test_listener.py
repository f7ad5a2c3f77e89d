"""Who connects is let in: soon when many come at once, and later when there is no file left for a connection."""

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from models.db import migrate
from tools.testing import databases
from tools.testing.server_process import Running, running
from web.server.config import ServerConfig
from web.server.listener import Listener
from web.server.process import GracefulServer
from web.server.protocol import Protocol

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
    config = ServerConfig(
        _unasked, interface="asgi3", http=Protocol, ws="none", lifespan="off", timeout_graceful_shutdown=1
    )
    config.load()
    server = GracefulServer(config)
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
    with running(url, tmp_path) as server, contextlib.ExitStack() as closing:
        with server.files_limited(FREE_FILES):
            *guests, late = _until_one_waits(server, closing)
            assert guests, "nobody was let in"
            for guest in guests:
                guest.close()
            late.settimeout(10)
            assert late.recv(12) == b"HTTP/1.1 200"
        assert "accept paused, out of file descriptors" in server.log_text()


def _until_one_waits(server: Running, closing: contextlib.ExitStack) -> list[socket.socket]:
    """Clients who come one after another and stay, the last of them the first who gets no answer."""
    lines: list[socket.socket] = []
    while not lines or _is_answered(lines[-1]):
        # The server may have had files open when they were counted that it has closed since.
        assert len(lines) < 3 * FREE_FILES, "everybody was let in"
        line = socket.create_connection(("127.0.0.1", server.port), timeout=1.5)
        lines.append(closing.enter_context(line))
    return lines


def _is_answered(line: socket.socket) -> bool:
    line.sendall(b"GET /v1/health/live HTTP/1.1\r\nHost: studio\r\n\r\n")
    try:
        return bool(line.recv(65536))
    except TimeoutError:
        return False
