"""The service in this process, from the bytes of a connection to the application, without sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from uvicorn.server import ServerState

import app
from models import collection_tracks, collections, keys, organizations, tracks
from models.access import Caller
from models.db import migrate
from models.db.database import Database
from settings import Settings
from tools.testing import databases
from web.server.config import ServerConfig
from web.server.protocol import Protocol

ORGANIZATION, USER = "org_home1", "user_alice"
PEPPER = "pepper-of-the-tests-of-32-bytes-or-more"
MAX_SECONDS = 5.0


class MemoryTransport(asyncio.Transport):
    """A transport that collects what the server writes, and keeps what the client sends while reading is paused."""

    def __init__(self, peer: tuple[str, int]) -> None:
        super().__init__({"peername": peer, "sockname": ("127.0.0.1", 8080)})
        self.written = bytearray()
        self.closed = False
        self.ended = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()

    def write(self, data: Any) -> None:
        if not self.ended.is_set():
            self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended.set()

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True
        self.ended.set()
        self.reads.set()

    abort = close

    def pause_reading(self) -> None:
        self.reads.clear()

    def resume_reading(self) -> None:
        self.reads.set()

    def is_reading(self) -> bool:
        return self.reads.is_set()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """No effect: nothing is buffered."""

    def get_write_buffer_size(self) -> int:
        return 0


class InProcessServer:
    """The application behind the HTTP protocol; `requests` are the (method, target) that reached the application."""

    def __init__(self, application: Any, **limits: float) -> None:
        self.requests: list[tuple[str, bytes]] = []
        self._application = application
        options: dict[str, Any] = {
            "interface": "asgi3",
            "proxy_headers": False,
            "ws": "none",
            "log_config": None,
            "access_log": False,
            "server_header": False,
        }
        self._config = ServerConfig(self._record, http=Protocol, linger=0.01, **options, **limits)
        self._config.load()
        self._state = ServerState()
        self._app_state: dict[str, Any] = {}
        self._lifespan: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        started = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if not started.is_set():
                return {"type": "lifespan.startup"}
            await self._stopping.wait()
            return {"type": "lifespan.shutdown"}

        async def send(message: dict[str, Any]) -> None:
            started.set()

        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self._app_state}
        self._lifespan = asyncio.create_task(self._application(scope, receive, send))
        await asyncio.wait_for(started.wait(), MAX_SECONDS)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        if self._lifespan is not None:
            await self._lifespan

    async def _record(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.requests.append((scope["method"], scope["raw_path"]))
        await self._application(scope, receive, send)

    async def exchange(self, pieces: Sequence[bytes], peer: tuple[str, int] = ("127.0.0.1", 50000)) -> bytes:
        """What the server writes to a client that sends the pieces and half-closes. Raises TimeoutError if it hangs."""
        transport = MemoryTransport(peer)
        protocol = Protocol(self._config, self._state, self._app_state, asyncio.get_running_loop())
        protocol.connection_made(transport)
        try:
            async with asyncio.timeout(MAX_SECONDS):
                for piece in pieces:
                    await transport.reads.wait()
                    if transport.ended.is_set():
                        break
                    protocol.data_received(piece)
                    await asyncio.sleep(0)
                await self._half_close(protocol, transport)
        finally:
            protocol.connection_lost(None)
        return bytes(transport.written)

    async def _half_close(self, protocol: Protocol, transport: MemoryTransport) -> None:
        await transport.reads.wait()
        if not transport.closed and not protocol.eof_received():
            transport.close()
        await transport.ended.wait()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks)


@contextlib.contextmanager
def sample(folder: Path, **changes: Any) -> Iterator[tuple[Settings, str, str]]:
    """Settings with a new SQLite database, a key of its user, and the id of a collection with one track."""
    with databases.fresh("sqlite", folder) as url:
        migrate.upgrade(url)
        with Database(url):
            organizations.join(ORGANIZATION, USER)
            key, secret = keys.make(ORGANIZATION, USER, ("music:read", "music:write"), pepper=PEPPER.encode())
            caller = Caller(USER, frozenset((ORGANIZATION,)), frozenset(), key.id)
            made = collections.create(caller, ORGANIZATION, name="A")
            track = tracks.add(ORGANIZATION, USER, title="B")
            if track is not None:
                collection_tracks.add(caller, ORGANIZATION, made.id, track.id, None)
        yield Settings(database_url=url, key_pepper=PEPPER, **changes), secret, made.id


def create(settings: Settings, **limits: float) -> InProcessServer:
    """The server of these settings; enter it on a running event loop."""
    return InProcessServer(app.create_app(settings), **limits)
