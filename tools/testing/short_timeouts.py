"""The command line with a server whose limits of time are short, so that a test need not wait for the real ones."""

import asyncio

from cli import main as cli
from web.http import request_body
from web.server import process
from web.server import protocol as server

HEADERS_SECONDS, BODY_SECONDS, IDLE_SECONDS, READER_SECONDS = 1.0, 1.5, 2.0, 1.0


class Protocol(server.Protocol):
    """The same protocol, less patient."""

    header_timeout = HEADERS_SECONDS
    write_timeout = READER_SECONDS
    linger = 0.5

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.timeout_keep_alive = IDLE_SECONDS  # type: ignore[assignment]  # uvicorn's setting is in whole seconds
        super().connection_made(transport)


if __name__ == "__main__":
    request_body.BODY_TIMEOUT_SECONDS = BODY_SECONDS  # type: ignore[assignment]
    vars(process)["PROTOCOL"] = "tools.testing.short_timeouts:Protocol"
    cli.main()
