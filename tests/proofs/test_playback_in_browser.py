"""A track in Chromium's `<audio>` element: it plays, seeks by range, and says when its address has expired."""

from __future__ import annotations

import array
import io
import json
import math
import os
import subprocess
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.audio import EXTENSIONS
from tests.proofs.toolchains import BIN
from tools.testing import sounds
from tools.testing.played import Played, playing, sealed

RATE, SECONDS, TONE = 44_100, 240, 441
FORMAT_SECONDS = 20
VALID_SECONDS = 25  # on a busy machine Chromium takes ten to start
# Chromium hides the 403 from a page of another origin (Opaque Response Blocking).
BLOCKED = "net::ERR_BLOCKED_BY_ORB"
NETWORK_ERROR = 2  # MediaError.MEDIA_ERR_NETWORK


def tone() -> bytes:
    """A WAV file of 42 MB: more than Chromium reads ahead."""
    period = [int(8000 * math.sin(2 * math.pi * n / (RATE / TONE))) for n in range(RATE // TONE)]
    samples = array.array("h", [sample for sample in period for _ in range(2)]) * (TONE * SECONDS)
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(2)
        written.setsampwidth(2)
        written.setframerate(RATE)
        written.writeframes(samples.tobytes())
    return file.getvalue()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with playing(tmp_path_factory.mktemp("played")) as running:
        yield running


@pytest.fixture(scope="module")
def formats(played: Played, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, bytes]]:
    """A playback URL and the content of a file of each format."""
    found = {}
    for name, file in sounds.write_all(tmp_path_factory.mktemp("formats"), FORMAT_SECONDS).items():
        content, mime_type = file.read_bytes(), sounds.MIME_TYPES[name]
        track = played.add(content, mime_type, FORMAT_SECONDS * 1000)
        found[name] = played.url + sealed(track.id, EXTENSIONS[mime_type]), content
    return found


@pytest.fixture(scope="module")
def seen(played: Played, formats: dict[str, tuple[str, bytes]]) -> dict[str, Any]:
    """What the browser reports."""
    track = played.add(tone(), "audio/wav", SECONDS * 1000)
    lasting, short = (played.url + sealed(track.id, "wav", seconds=left) for left in (600, VALID_SECONDS))
    command = [str(BIN / "node"), "playback.mjs", lasting, short, str(int(time.time()) + VALID_SECONDS)]
    command += [url for url, _ in formats.values()]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, env=os.environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_track_plays_and_seeks_by_range(seen: dict[str, Any]) -> None:
    lasting = seen["lasting"]
    assert (lasting["loaded"], lasting["seeked"]) == ("canplay", "seeked")
    assert abs(lasting["duration"] - SECONDS) < 0.1
    assert min(lasting["played"], lasting["playedThere"]) >= 0.3
    assert lasting["after"]["time"] > SECONDS * 0.9
    assert lasting["after"]["error"] is None
    answered = [request for request in lasting["requests"] if "status" in request]
    assert {request["status"] for request in answered} == {206}
    starts = [request["range"] for request in answered]
    assert starts[0] == "bytes=0-"
    assert len(starts) > 1, "the seek needed no request: the file is too small for this test"


def test_every_format_plays_and_seeks_and_is_the_file(
    played: Played, seen: dict[str, Any], formats: dict[str, tuple[str, bytes]]
) -> None:
    assert len(formats) == len(seen["formats"]) == 6
    for (name, (url, content)), heard in zip(formats.items(), seen["formats"], strict=True):
        assert (heard["loaded"], heard["seeked"], heard["after"]["error"]) == ("canplay", "seeked", None), name
        assert abs(heard["duration"] - FORMAT_SECONDS) < 0.2, name
        assert min(heard["played"], heard["playedThere"]) >= 0.3, name
        assert heard["after"]["time"] > FORMAT_SECONDS * 0.9, name
        assert played.client.get(url).content == content, name


def test_seek_after_the_expiry_is_an_error_and_a_new_address_goes_on(seen: dict[str, Any]) -> None:
    expired = seen["expired"]
    assert expired["loaded"] == "canplay"
    assert expired["paused"]["buffered"] < SECONDS / 2
    assert any(request.get("failed") == BLOCKED or request.get("status") == 403 for request in expired["requests"])
    assert expired["seeked"] == "error"
    assert expired["failed"]["error"] == NETWORK_ERROR
    assert expired["again"] == "canplay"
    assert expired["playedAgain"] >= 0.3
    assert expired["after"]["time"] > SECONDS * 0.9
