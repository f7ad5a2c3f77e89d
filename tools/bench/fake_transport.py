"""In-memory transport for the HTTP protocol: passes bytes in and out without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState


class FakeTransport(asyncio.Transport):
    """A transport that keeps the first bytes of a response and sets an event when the response is complete."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50000), "sockname": ("127.0.0.1", 8080)})
        self.start = b""
        self.complete = asyncio.Event()

    def write(self, data: Any) -> None:
        self.start = self.start or bytes(data[:12])
        # The response to the sample's GET is a JSON object, which ends with a brace.
        if data.endswith(b"}"):
            self.complete.set()

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """No effect: nothing is open."""

    def abort(self) -> None:
        """No effect: nothing is open."""

    def pause_reading(self) -> None:
        """No effect: nothing is read."""

    def resume_reading(self) -> None:
        """No effect: nothing is read."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """No effect: nothing is buffered."""

    def get_write_buffer_size(self) -> int:
        return 0


class Connection:
    """A keep-alive connection to an application, under the HTTP protocol of the service or under uvicorn's own."""

    def __init__(self, application: Any, *, stock: bool = False) -> None:
        self.transport = FakeTransport()
        self.protocol = (_stock_protocol if stock else _own_protocol)(application)
        self.protocol.connection_made(self.transport)

    async def send(self, request: bytes) -> None:
        """Sends a request and waits for the response. Raises RuntimeError unless it is 200."""
        self.transport.start = b""
        self.transport.complete.clear()
        self.protocol.data_received(request)
        await self.transport.complete.wait()
        # The server's task ends after its last byte.
        await asyncio.sleep(0)
        if self.transport.start != b"HTTP/1.1 200":
            raise RuntimeError(f"The response to the sample's GET began with {self.transport.start!r}")


def _own_protocol(application: Any) -> Any:
    # Imported here, because the environments of the peers have no package that these need.
    from web.server.config import ServerConfig
    from web.server.lifespan_state import MEMORY_LIMITER
    from web.server.memory_limiter import MIB, MemoryLimiter
    from web.server.protocol import Protocol

    config = ServerConfig(application, http=Protocol, ws="none", log_config=None, access_log=False, server_header=False)
    config.load()
    state = {MEMORY_LIMITER: MemoryLimiter(MIB, MIB)}
    return Protocol(config, ServerState(), state, asyncio.get_running_loop())


def _stock_protocol(application: Any) -> Any:
    config = Config(application, http=HttpToolsProtocol, ws="none", log_config=None, access_log=False)
    config.load()
    return HttpToolsProtocol(config, ServerState(), {}, asyncio.get_running_loop())
