"""The service inside this process, without a socket, to measure the time of one GET."""

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

ORGANIZATION, OWNER, PEPPER, TRACKS_PER_COLLECTION = (
    "org_bench1",
    "user_reader",
    "pepper-of-the-benchmark-of-32-bytes-or-more",
    12,
)
Application = Callable[[dict[str, Any], Any, Any], Any]


@dataclass(frozen=True)
class Sample:
    """A small database with one collection of 12 tracks, and the request for it."""

    settings: Settings
    path: str
    key: str

    def scope(self) -> dict[str, Any]:
        """The ASGI scope of the GET, as uvicorn creates it."""
        raw = self.path.encode()
        headers = [(b"host", b"bench"), (b"x-api-key", self.key.encode())]
        return {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
                "server": ("127.0.0.1", 8080), "client": ("127.0.0.1", 50000), "scheme": "http", "method": "GET",
                "root_path": "", "path": self.path, "raw_path": raw, "query_string": b"", "headers": headers,
                "state": {}}  # fmt: skip

    def to_bytes(self) -> bytes:
        """The GET as HTTP/1.1."""
        return f"GET {self.path} HTTP/1.1\r\nHost: bench\r\nX-API-Key: {self.key}\r\n\r\n".encode()


@contextlib.contextmanager
def open_sample(kind: str = "sqlite", **changes: Any) -> Iterator[Sample]:
    """The sample with production settings, except for rate limits; log lines go to a file."""
    folder = tempfile.TemporaryDirectory(prefix="music-studio-bench-")
    with databases.fresh(kind, databases.cores()[2]) as url, folder as name, _logged(Path(name) / "requests.log"):
        settings = Settings(database_url=url, key_pepper=PEPPER, rate_limit="off", **changes)
        migrate.upgrade(url)
        with Database(url):
            path, key = _fill()
        yield Sample(settings, path, key)


@contextlib.contextmanager
def _logged(file: Path) -> Iterator[None]:
    with file.open("w", encoding="utf-8") as lines, contextlib.redirect_stderr(lines):
        writer = log_config.configure("json", "info")
        yield
        writer.drain()


def _fill() -> tuple[str, str]:
    organizations.join(ORGANIZATION, OWNER)
    key, secret = keys.make(ORGANIZATION, OWNER, ("music:read", "music:write"), pepper=PEPPER.encode())
    caller = Caller(OWNER, frozenset((ORGANIZATION,)), frozenset(), key.id)
    collection = collections.create(caller, ORGANIZATION, name="Focus Sessions", description="Instrumental tracks")
    for number in range(TRACKS_PER_COLLECTION):
        track = tracks.add(ORGANIZATION, OWNER, title=f"Track {number}")
        if track is not None:
            collection_tracks.add(caller, ORGANIZATION, collection.id, track.id, None)
    return f"/v1/music/{ORGANIZATION}/collections/{collection.id}", secret


def application(sample: Sample) -> Application:
    """The application on the sample's database."""
    return app.create_app(sample.settings)


async def status_of(application: Application, scope: dict[str, Any]) -> int:
    """The status of one request to the ASGI application."""
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await application(dict(scope), receive, send)
    return statuses[0]


def run(work: Any) -> Any:
    """The result of a coroutine, run on uvloop as the service is."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
