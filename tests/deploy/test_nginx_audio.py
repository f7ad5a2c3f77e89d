"""nginx in front of the service sends the audio (X-Accel-Redirect), as the service would, and logs no secret."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings

from models.audio_store import AudioStore
from models.tracks import Track
from tests.deploy.test_nginx import assert_envelope
from tools.deploy.nginx import Proxy, free_port, running
from tools.testing.played import Played, playing, sealed
from tools.testing.range_cases import CONTENT, EXAMPLES, Asked, check, requests

ACCEL = "/_audio/"
# Header fields that differ from response to response, or that nginx adds.
OWN = {"connection", "date", "server", "strict-transport-security", "x-request-id", "cache-control"}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("played")
    with playing(folder, audio_accel=ACCEL, rate_limit="", cors_origins=("https://app.example",)) as running_service:
        yield running_service


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """A service that sends the audio itself."""
    with playing(
        tmp_path_factory.mktemp("direct"), rate_limit="", cors_origins=("https://app.example",)
    ) as running_service:
        yield running_service


@pytest.fixture(scope="module")
def track(played: Played) -> Track:
    return played.add(CONTENT)


@pytest.fixture(scope="module")
def proxy(played: Played, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    store = played.application.playback.store  # type: ignore[union-attr]
    folder = store.path("")
    assert folder is not None
    with running(tmp_path_factory.mktemp("proxy"), int(played.url.rpartition(":")[2]), folder) as started:
        yield started


@pytest.fixture(scope="module")
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, verify=False, trust_env=False) as opened:  # noqa: S501 - on loopback
        yield opened


async def _nothing(*_: object) -> AsyncIterator[bytes]:
    raise AssertionError("the service sends the audio itself")
    yield b""


@pytest.mark.parametrize("asked", ["", "bytes=0-99", "bytes=5000-", "bytes=-7"])
def test_nginx_sends_the_file(
    played: Played, client: httpx.Client, track: Track, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setattr(AudioStore, "read", _nothing)
    response = client.get(sealed(track.id), headers={"Range": asked} if asked else {})
    assert response.content in (CONTENT, CONTENT[:100], CONTENT[5000:], CONTENT[-7:])
    assert response.status_code == (206 if asked else 200)
    assert "X-Accel-Redirect" not in response.headers


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests())
def test_range_and_if_range_get_what_the_model_says(client: httpx.Client, track: Track, asked: Asked) -> None:
    check(client, sealed(track.id), asked)


@pytest.mark.parametrize("asked", EXAMPLES)
def test_edges_of_ranges(client: httpx.Client, track: Track, asked: Asked) -> None:
    check(client, sealed(track.id), asked)


CONDITIONS = {
    "none": {},
    "If-Modified-Since": {"If-Modified-Since": "Sat, 28 Nov 2099 10:00:00 GMT"},
    "If-Unmodified-Since": {"If-Unmodified-Since": "Sat, 28 Nov 2009 10:00:00 GMT"},
    "If-Match": {"If-Match": '"other"'},
    "If-None-Match": {"If-None-Match": "*"},
    "another If-None-Match": {"If-None-Match": '"other"'},
    "a range": {"Range": "bytes=10-19"},
    "an origin": {"Origin": "https://app.example"},
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_responses_are_those_of_the_service(
    client: httpx.Client, direct: Played, track: Track, method: str, condition: str
) -> None:
    headers = CONDITIONS[condition]
    own = direct.add(CONTENT)
    found = client.request(method, sealed(track.id), headers=headers)
    expected = direct.client.request(method, sealed(own.id), headers=headers)
    assert (found.status_code, found.content) == (expected.status_code, expected.content)
    tags = found.headers.pop("etag"), expected.headers.pop("etag")
    assert all(tags)
    ignored = OWN | {"x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit"}
    assert _shown(found, ignored) == _shown(expected, ignored)
    assert {"ratelimit", "x-ratelimit-remaining", "x-request-id", "cache-control"} <= set(found.headers)


def _shown(response: httpx.Response, ignored: set[str]) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in response.headers.multi_items() if name not in ignored)


def test_download_cut_at_every_64_kib_and_resumed_is_the_file(client: httpx.Client, track: Track) -> None:
    target, got, tag = sealed(track.id), b"", ""
    while len(got) < len(CONTENT):
        headers = {"Range": f"bytes={len(got)}-", "If-Range": tag} if got else {}
        with client.stream("GET", target, headers=headers) as response:
            assert response.status_code == (206 if got else 200)
            tag = response.headers["ETag"]
            got += next(response.iter_raw(64 * 1024))
    assert got == CONTENT


def test_invalid_url_and_the_internal_location_are_refused(client: httpx.Client, track: Track) -> None:
    assert_envelope(client.get(sealed(track.id, seconds=-1)), "PLAYBACK_URL_INVALID")
    assert_envelope(client.get(f"{ACCEL}{track.audio_name}"), "ENDPOINT_NOT_FOUND")


def test_no_log_has_a_seal(proxy: Proxy, client: httpx.Client, track: Track, tmp_path: Path) -> None:
    target = sealed(track.id)
    seal, token = target.partition("=")[2], f"shr_{secrets.token_hex(16)}"
    shared = [f"/v1/music/shared/{token}{rest}" for rest in ("", "/save", "?a=1", f"?{token}", f"/{token}")]
    shared += [f"/shared/{token}", f"/shared/{token}/audio/1", f"/v1/music/shared/%73hr_{token[4:]}"]
    for sent in (*shared, target, f"{target}&a=1", f"{target[:-1]}", target.replace("?sig", "?a=1&sig")):
        client.get(sent, headers={"X-Request-ID": token})
    assert seal[10:60] not in _await_log(proxy)
    assert token[4:] not in _await_log(proxy)
    with (
        running(tmp_path, free_port()) as without_service,
        httpx.Client(base_url=without_service.url, verify=False, trust_env=False) as other,  # noqa: S501 - on loopback
    ):
        assert_envelope(other.get(shared[0]), "SERVICE_UNAVAILABLE")
        assert_envelope(other.get(target), "SERVICE_UNAVAILABLE")
        assert seal[10:60] not in _await_log(without_service)
        assert token[4:] not in _await_log(without_service)


def _await_log(proxy: Proxy) -> str:
    """The logs, once they have the request; nginx writes them after the response."""
    deadline = time.monotonic() + 10
    while "sig=***" not in (text := proxy.logs()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "sig=***" in text
    return text
