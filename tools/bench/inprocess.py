"""The service inside this process, without a socket: for looking at where the time of one GET goes."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import app
from models import collection_tracks, collections, keys, organizations, tracks
from models.access import Caller
from models.db import migrate
from models.db.database import Database
from settings import Settings
from tools.bench import databases
from web.telemetry import log_config

ORGANIZATION, OWNER, PEPPER, MEMBERS = "org_bench1", "user_reader", "pepper-of-the-benchmark", 12
Application = Callable[[dict[str, Any], Any, Any], Any]


@dataclass(frozen=True)
class Sample:
    """A small database with one collection of 12 tracks, and the request for it."""

    settings: Settings
    path: str
    key: str

    def scope(self) -> dict[str, Any]:
        """The ASGI scope of the GET, as uvicorn makes it."""
        raw = self.path.encode()
        headers = [(b"host", b"bench"), (b"x-api-key", self.key.encode())]
        return {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
                "server": ("127.0.0.1", 8080), "client": ("127.0.0.1", 50000), "scheme": "http", "method": "GET",
                "root_path": "", "path": self.path, "raw_path": raw, "query_string": b"", "headers": headers,
                "state": {}}  # fmt: skip

    def wire(self) -> bytes:
        """The GET as it comes over the socket."""
        return f"GET {self.path} HTTP/1.1\r\nHost: bench\r\nX-API-Key: {self.key}\r\n\r\n".encode()


@contextlib.contextmanager
def opened(kind: str = "sqlite", **changes: Any) -> Iterator[Sample]:
    """The sample with settings as in production but for the rate limit; log lines go to a file."""
    folder = tempfile.TemporaryDirectory(prefix="music-studio-bench-")
    with databases.fresh(kind, databases.cores()[2]) as url, folder as name, _logged(Path(name) / "requests.log"):
        settings = Settings(database_url=url, key_pepper=PEPPER, rate_limit="off", **changes)
        migrate.upgrade(url)
        with Database(url):
            path, key = _filled()
        yield Sample(settings, path, key)


@contextlib.contextmanager
def _logged(file: Path) -> Iterator[None]:
    with file.open("w", encoding="utf-8") as lines, contextlib.redirect_stderr(lines):
        log_config.configure("json", "info")
        yield


def _filled() -> tuple[str, str]:
    organizations.join(ORGANIZATION, OWNER)
    key, secret = keys.make(ORGANIZATION, OWNER, ("music:read", "music:write"), pepper=PEPPER.encode())
    caller = Caller(OWNER, frozenset((ORGANIZATION,)), frozenset(), key.id)
    made = collections.create(caller, ORGANIZATION, name="Focus Sessions", description="Instrumental tracks")
    for number in range(MEMBERS):
        track = tracks.add(ORGANIZATION, OWNER, title=f"Track {number}")
        if track is not None:
            collection_tracks.add(caller, ORGANIZATION, made.id, track.id, None)
    return f"/v1/music/{ORGANIZATION}/collections/{made.id}", secret


def application(sample: Sample) -> Application:
    """The whole application on the sample's database."""
    return app.create_app(sample.settings)


async def asked(application: Application, scope: dict[str, Any]) -> int:
    """Status of one request, given to the application as a server would."""
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await application(dict(scope), receive, send)
    return statuses[0]


def alone(work: Any) -> Any:
    """The result of a coroutine, run on the event loop that the service uses."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
