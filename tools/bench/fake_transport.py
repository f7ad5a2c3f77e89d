"""A connection that is none: feeds the service's own HTTP protocol with bytes and takes its bytes, without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.server import ServerState

from web.server.config import ServerConfig
from web.server.protocol import Protocol


class Line(asyncio.Transport):
    """A transport that keeps the beginning of what is written, and tells when an answer is complete."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50000), "sockname": ("127.0.0.1", 8080)})
        self.start = b""
        self.answered = asyncio.Event()

    def write(self, data: Any) -> None:
        self.start = self.start or bytes(data[:12])
        # Every answer to the sample's GET is JSON, and a JSON object ends with its brace.
        if data.endswith(b"}"):
            self.answered.set()

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""

    def abort(self) -> None:
        """Nothing is open."""

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is kept."""

    def get_write_buffer_size(self) -> int:
        return 0


class Connection:
    """A kept-alive connection to an application."""

    def __init__(self, application: Any) -> None:
        config = ServerConfig(
            application, http=Protocol, ws="none", log_config=None, access_log=False, server_header=False
        )
        config.load()
        self.line = Line()
        self.protocol = Protocol(config, ServerState(), {}, asyncio.get_running_loop())
        self.protocol.connection_made(self.line)

    async def ask(self, request: bytes) -> None:
        """Send a request and wait for its answer; raises RuntimeError unless that is 200."""
        self.line.start = b""
        self.line.answered.clear()
        self.protocol.data_received(request)
        await self.line.answered.wait()
        # The server's task ends after its last byte.
        await asyncio.sleep(0)
        if self.line.start != b"HTTP/1.1 200":
            raise RuntimeError(f"The sample's GET was answered with {self.line.start!r}")
