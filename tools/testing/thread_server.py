"""The service's own HTTP server in a thread of this process, on a real socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from web.server import process, sockets

START_SECONDS = 30


@contextmanager
def serving(application: Any, **options: Any) -> Iterator[str]:
    """The URL of a server that runs the application in a thread; `options` are those of ServerConfig."""
    opened, ready = sockets.listen("127.0.0.1", 0), threading.Event()
    server = process.GracefulServer(process.server_config(application, 1, options), ready.set)
    thread = threading.Thread(target=server.run, args=(opened,), daemon=True)
    thread.start()
    if not ready.wait(START_SECONDS):
        raise RuntimeError("the server did not start")
    try:
        yield sockets.url("127.0.0.1", opened)
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
