"""Clients that read a stream slowly, or not at all: what the server holds for them, and when it cuts them."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models import tracks
from models.audio_store import AudioStore
from models.base import new_id
from models.tracks import Track
from tools.testing.played import Played, noise, playing, sealed
from tools.testing.service import ALICE, HOME, Services
from web.server.memory_limiter import CONNECTION_BYTES
from web.server.zero_copy_send import HELD_BYTES

pytestmark = pytest.mark.slow
WRITE_SECONDS = 1.0
# More than all buffers of a connection hold.
CONTENT = noise(24_000_000, 3)
CLIENTS = 40
WINDOW_BYTES = 16 * 1024


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with playing(tmp_path_factory.mktemp("played"), server={"write_timeout": WRITE_SECONDS}) as running:
        yield running


@pytest.fixture(scope="module")
def track(played: Played) -> Track:
    return played.add(CONTENT)


@contextlib.contextmanager
def listening(url: str, target: str) -> Iterator[socket.socket]:
    """A connection that has asked for the target, and has a small receive buffer."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    with socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
        opened.settimeout(20)
        opened.connect((host, int(port)))
        opened.sendall(f"GET {target} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        yield opened


def received(opened: socket.socket) -> bytes:
    """All that is left to read; a connection that is reset ends it."""
    found = []
    with contextlib.suppress(ConnectionError):
        while piece := opened.recv(1 << 20):
            found.append(piece)
    return b"".join(found)


def body(response: bytes) -> bytes:
    return response.partition(b"\r\n\r\n")[2]


def holds(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_reader_that_takes_nothing_is_cut(played: Played, track: Track) -> None:
    with listening(played.url, sealed(track.id)) as opened:
        time.sleep(WRITE_SECONDS * 4)
        got = body(received(opened))
    assert 0 < len(got) < len(CONTENT) / 2
    assert CONTENT.startswith(got)


def test_slow_reader_is_not_cut(played: Played, track: Track) -> None:
    with listening(played.url, sealed(track.id)) as opened:
        got, ends = b"", time.monotonic() + WRITE_SECONDS * 6
        while time.monotonic() < ends:
            got += opened.recv(WINDOW_BYTES // 2)
            time.sleep(WRITE_SECONDS / 8)
        assert len(got) < len(CONTENT) / 2, "the client was not slow"
        while len(body(got)) < len(CONTENT):
            got += opened.recv(1 << 20)
    assert body(got) == CONTENT


def test_slow_readers_hold_a_piece_each(played: Played, track: Track) -> None:
    memory = played.application.memory
    with contextlib.ExitStack() as stack:
        for _ in range(CLIENTS):
            stack.enter_context(listening(played.url, sealed(track.id)))
        assert holds(lambda: memory.held >= CLIENTS * CONNECTION_BYTES)
        assert memory.held <= (CLIENTS + 2) * (CONNECTION_BYTES + HELD_BYTES)
    assert holds(lambda: memory.held <= 2 * CONNECTION_BYTES), "a closed connection holds memory"


def test_file_that_became_shorter_ends_the_connection(played: Played) -> None:
    made = played.add(CONTENT)
    with listening(played.url, sealed(made.id)) as opened:
        got = opened.recv(1000)
        path = played.application.playback.store.path(made.audio_name or "")  # type: ignore[union-attr]
        assert path is not None
        with path.open("r+b") as file:
            file.truncate(10_000_000)
        got = body(got + received(opened))
    assert len(got) < len(CONTENT)
    assert CONTENT.startswith(got)


def test_server_stops_in_order_while_it_streams(services: Services, tmp_path: Path) -> None:
    store = AudioStore((tmp_path / "audio").as_uri())
    running = services.start(
        services.fresh_database("sqlite"), AUDIO_URL=(tmp_path / "audio").as_uri(), SHUTDOWN_TIMEOUT_SECONDS="3"
    )
    running.key(ALICE)
    with running.use_database():
        stored = store.write_bytes(HOME, new_id("mtrack_"), "audio/mpeg", CONTENT)
        made = tracks.add(HOME, ALICE, title="A", audio=stored)
    assert made is not None
    with listening(running.url, sealed(made.id)) as opened:
        assert opened.recv(100).startswith(b"HTTP/1.1 200 ")
        running.process.send_signal(signal.SIGTERM)
        running.stop()
        assert len(received(opened)) < len(CONTENT)
