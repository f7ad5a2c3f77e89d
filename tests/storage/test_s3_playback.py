"""Playback from a real S3 server: by the service in ranges, and by the server itself with URLs that it has signed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, given, settings

from models import tracks
from models.access import Caller
from models.tracks import Track
from ops import audio
from tests.storage.s3_server import BUCKET, S3Server
from tools.testing.played import Played, playing, sealed
from tools.testing.range_cases import (
    CONTENT,
    EXAMPLES,
    SIZE,
    Asked,
    Bounds,
    bounds_of_one,
    check,
    expected,
    requests,
    text,
)
from tools.testing.service import ALICE, HOME, assert_envelope

URL = f"s3://{BUCKET}/studio"
PIECE = 64 * 1024
GENERATED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    started = S3Server(tmp_path_factory.mktemp("s3"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in started.variables.items():
            patch.setenv(name, value)
        yield started
    started.kill()


@pytest.fixture(scope="module")
def played(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with playing(tmp_path_factory.mktemp("played"), audio_url=URL) as running:
        yield running


@pytest.fixture(scope="module")
def direct(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with playing(tmp_path_factory.mktemp("direct"), audio_url=URL, audio_direct=True) as running:
        yield running


@pytest.fixture(scope="module")
def track(played: Played) -> Track:
    return played.add(CONTENT)


@pytest.fixture(scope="module")
def signed(direct: Played) -> str:
    """The URL of a track, signed by S3."""
    return direct.track_url(direct.add(CONTENT))


@GENERATED
@given(requests())
@pytest.mark.slow
def test_range_and_if_range_get_what_the_model_says(played: Played, track: Track, asked: Asked) -> None:
    check(played.client, sealed(track.id), asked)


@pytest.mark.parametrize("asked", EXAMPLES)
def test_edges_of_ranges(played: Played, track: Track, asked: Asked) -> None:
    check(played.client, sealed(track.id), asked)


def test_a_download_that_is_cut_and_resumed_is_the_file(played: Played) -> None:
    content = CONTENT * 10
    target, got, tag = sealed(played.add(content).id), b"", ""
    while len(got) < len(content):
        headers = {"Range": f"bytes={len(got)}-", "If-Range": tag} if got else {}
        with played.client.stream("GET", target, headers=headers) as response:
            assert response.status_code == (206 if got else 200)
            tag = response.headers["ETag"]
            for piece in response.iter_raw(PIECE):
                got += piece
                break
    assert got == content


def test_an_object_that_is_gone_is_503(played: Played, server: S3Server) -> None:
    gone = played.add(b"sound")
    (file,) = [one for one in server.files() if one.name == str(gone.audio_name).rpartition("/")[2]]
    file.unlink()
    assert_envelope(played.client.get(sealed(gone.id)), "SERVICE_UNAVAILABLE")


def test_a_signed_url_is_that_of_s3_and_gives_the_audio(direct: Played, server: S3Server, signed: str) -> None:
    assert signed.startswith(f"{server.variables['AWS_ENDPOINT_URL']}/{BUCKET}/studio/{HOME}/")
    assert "X-Amz-Signature=" in signed
    whole = httpx.get(signed, trust_env=False)
    assert (whole.status_code, whole.content, whole.headers["Content-Type"]) == (200, CONTENT, "audio/mpeg")
    assert whole.headers["Accept-Ranges"] == "bytes"


@GENERATED
@given(bounds_of_one.filter(lambda bounds: all(one is None or one < 2**63 for one in bounds)))
@pytest.mark.slow
def test_a_signed_url_gives_ranges(signed: str, bounds: Bounds) -> None:
    """What S3 itself does with a single range: its bytes, or 416."""
    status, start, end = expected(bounds)
    part = httpx.get(signed, headers={"Range": f"bytes={text(bounds, 0)}"}, trust_env=False)
    assert part.status_code == status, bounds
    if status == 206:
        assert part.content == CONTENT[start:end]
        assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"


def test_a_signed_url_resumes_what_was_cut(signed: str) -> None:
    got, tag = b"", ""
    while len(got) < SIZE:
        headers = {"Range": f"bytes={len(got)}-", "If-Match": tag} if got else {}
        with httpx.stream("GET", signed, headers=headers, trust_env=False) as response:
            assert response.status_code == (206 if got else 200)
            tag = response.headers["ETag"]
            got += next(response.iter_raw(PIECE))
    assert got == CONTENT


def test_a_signed_url_that_was_altered_or_has_expired_is_refused(direct: Played, signed: str) -> None:
    other = direct.add(b"other")
    name, query = signed.partition("?")[::2]
    place = name.index("mtrack_")
    altered = [
        f"{name[:place]}{str(other.audio_name).rpartition('/')[2]}?{query}",
        f"{name}?{query[:-1]}{'0' if query[-1] != '0' else '1'}",
        name,
    ]
    for url in altered:
        answer = httpx.get(url, trust_env=False)
        assert answer.status_code == 403, url
        assert CONTENT[:100] not in answer.content
    for method in ("PUT", "DELETE"):
        assert httpx.request(method, signed, trust_env=False).status_code == 403
    assert direct.application.playback is not None
    short = direct.application.playback.store.signed_url(str(other.audio_name), 1)
    time.sleep(2.1)
    assert httpx.get(short, trust_env=False).status_code == 403


def test_a_deleted_track_is_heard_until_its_audio_is_removed(direct: Played) -> None:
    """As the manual says: the URL of S3 knows nothing of the track."""
    made = direct.add(CONTENT, duration_ms=None)
    url = direct.track_url(made)
    with direct.database.use():
        tracks.delete(Caller(ALICE, frozenset({HOME}), frozenset(), None), HOME, made.id)
    assert direct.api.get(f"music/{HOME}/tracks/{made.id}").status_code == 404
    assert httpx.get(url, trust_env=False).status_code == 200
    with direct.database.use():
        store = audio.open_store(URL)
        assert audio.remove_deleted(store, -3600) == 1
    assert httpx.get(url, trust_env=False).status_code == 404


def test_only_get_is_signed(signed: str) -> None:
    assert httpx.head(signed, trust_env=False).status_code == 403
