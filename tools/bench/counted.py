"""Program that callgrind runs: sends one request many times through the HTTP protocol, and counts only that.

`python -m tools.bench.counted LIBRARY APPLICATION PROTOCOL TIMES REQUESTS`: the library with `start` and `stop`; the
application as `module:attribute`, `empty` or `music-studio`; `own` or `stock`; and a file with requests, in JSON.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import uvloop

from tools.bench.fake_transport import Connection

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
WARM = 50


async def _empty(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """The smallest ASGI application: a constant body."""
    head = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": b"{}"})


def _ours() -> Application:
    # Imported here, because the environments of the peers have no package that it needs.
    from app import create_app
    from settings import Settings
    from web.telemetry import log_config

    log_config.configure("json", "info")
    pepper = os.environ["BENCH_PEPPER"]
    return create_app(Settings(database_url=os.environ["BENCH_DATABASE_URL"], key_pepper=pepper, rate_limit="off"))


def _application(name: str) -> Application:
    if name == "empty":
        return _empty
    if name == "music-studio":
        return _ours()
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)  # type: ignore[no-any-return] # an ASGI application


async def _start(application: Application) -> None:
    """Runs the start of the application (ASGI lifespan), and leaves it waiting for the end."""
    messages = asyncio.Queue[dict[str, Any]]()
    started = asyncio.Event()
    messages.put_nowait({"type": "lifespan.startup"})

    async def send(_message: dict[str, Any]) -> None:
        started.set()

    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    _running.append(asyncio.ensure_future(application(scope, messages.get, send)))
    await started.wait()


_running: list[Any] = []


async def _count(library: Any, name: str, protocol: str, times: int, requests: list[bytes]) -> None:
    application = _application(name)
    if ":" in name:
        await _start(application)
    connection = Connection(application, stock=protocol == "stock")
    for number in range(WARM):
        await connection.send(requests[number % len(requests)])
    library.start()
    for number in range(times):
        await connection.send(requests[number % len(requests)])
    library.stop()


def main() -> int:
    """Counts, and ends without the end of the application."""
    library, name, protocol, times, file = sys.argv[1:]
    requests = [request.encode() for request in json.loads(Path(file).read_text(encoding="utf-8"))]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_count(ctypes.CDLL(library), name, protocol, int(times), requests))
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
