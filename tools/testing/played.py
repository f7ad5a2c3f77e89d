"""The service with audio, on a real socket of this process: a track whose bytes are known, and its playback URLs."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

import app
from models import keys, organizations, tracks
from models.base import new_id
from models.db import migrate
from models.db.database import Database
from models.tracks import Track
from settings import Settings
from tools.testing import databases
from tools.testing.service import ALICE, HOME, PEPPER, READ, WRITE
from tools.testing.thread_server import serving
from web.application import Application
from web.playback import Playback
from web.security.signed_urls import Grant, URLSealer

SECONDS = 600
# No multiple of any size of a piece.
SIZE = 1_234_567


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that differ everywhere, the same for each seed."""
    return random.Random(seed).randbytes(size)


@dataclass
class Played:
    """A running application; `url` is its address without a path, `api` a client with alice's key."""

    application: Application
    database: Database
    url: str
    client: httpx.Client
    api: httpx.Client

    def add(
        self,
        content: bytes,
        mime_type: str = "audio/mpeg",
        duration_ms: int | None = 60_000,
        *,
        title: str | None = "A",
    ) -> Track:
        """A new track of alice's with this content."""
        playback = self.application.playback
        assert isinstance(playback, Playback)
        stored = playback.store.write_bytes(HOME, new_id("mtrack_"), mime_type, content)
        with self.database.use():
            made = tracks.add(HOME, ALICE, title=title, audio=stored, duration_ms=duration_ms)
        assert made is not None
        return made

    def track_url(self, track: Track) -> str:
        """The playback URL that get_track gives."""
        given = self.api.get(f"music/{HOME}/tracks/{track.id}").json()["playback_url"]
        assert isinstance(given, str)
        return given


def sealed(track_id: str, extension: str = "mp3", *, seconds: float = SECONDS, **grant: Any) -> str:
    """Path and query of a playback URL that expires in so many seconds."""
    given: dict[str, Any] = {"organization_id": HOME, "part": "master", "expires": int(time.time() + seconds)} | grant
    file = f"{track_id}.{extension}"
    return f"/v1/music/audio/{file}?sig={URLSealer(PEPPER.encode()).seal(file, Grant(**given))}"


@contextmanager
def playing(folder: Path, *, server: dict[str, Any] | None = None, **settings: Any) -> Iterator[Played]:
    """The running service; its audio is in a folder unless the settings say otherwise. `server`: see ServerConfig."""
    with databases.fresh("sqlite", folder) as url:
        migrate.upgrade(url)
        given = {"audio_url": (folder / "audio").as_uri(), "rate_limit": "off"} | settings
        application = app.create_app(Settings(database_url=url, key_pepper=PEPPER, **given))
        with application.database.use():
            organizations.join(HOME, ALICE)
            key = keys.make(HOME, ALICE, (READ, WRITE), pepper=PEPPER.encode())[1]
        with (
            serving(application, **(server or {})) as address,
            httpx.Client(base_url=address, trust_env=False) as client,
            httpx.Client(base_url=f"{address}/v1", headers={"X-API-Key": key}, trust_env=False) as api,
        ):
            yield Played(application, application.database, address, client, api)
