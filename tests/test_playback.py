"""Playback URLs: what is sent for a valid one, and the one answer to every other."""

from __future__ import annotations

import re
import string
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models import tracks
from models.tracks import Track
from tools.testing import service as harness
from tools.testing.played import SIZE, Played, noise, playing, sealed
from tools.testing.service import HOME
from web import playback
from web.contract import document as contract
from web.default_headers import DefaultHeaders
from web.security.signed_urls import PREFIX, Grant, URLSealer

FORMATS = {"audio/mpeg": "mp3", "audio/flac": "flac", "audio/ogg": "ogg", "audio/wav": "wav", "audio/mp4": "m4a"}
CONTENT = noise(SIZE)


@pytest.fixture(scope="module", params=["folder", "memory"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    settings: dict[str, Any] = {} if request.param == "folder" else {"audio_url": "memory:///"}
    with playing(tmp_path_factory.mktemp("played"), **settings) as running:
        yield running


@pytest.fixture(scope="module")
def track(played: Played) -> Track:
    return played.add(CONTENT)


def refusal(response: httpx.Response) -> tuple[int, dict[str, str], Any]:
    """A response without what differs between two equal requests."""
    headers = {name: value for name, value in response.headers.items() if name not in ("date", "x-request-id")}
    body = response.json()
    harness.assert_envelope(response, "PLAYBACK_URL_INVALID")
    body["error"] |= {"trace_id": "", "timestamp": ""}
    return response.status_code, headers, body


def test_url_of_a_track_gives_its_audio(played: Played, track: Track) -> None:
    url = played.track_url(track)
    pattern = rf"{re.escape(played.url)}/v1/music/audio/{track.id}\.mp3\?sig=mseal_[0-9A-Za-z_-]{{124}}"
    assert re.fullmatch(pattern, url)
    assert HOME not in url
    response = httpx.get(url, trust_env=False)
    assert (response.status_code, response.content) == (200, CONTENT)
    headers = response.headers
    assert headers["Content-Type"] == "audio/mpeg"
    assert headers["Content-Length"] == str(SIZE)
    assert headers["Accept-Ranges"] == "bytes"
    assert re.fullmatch(r'"[0-9a-f]{16}"', headers["ETag"])
    defaults = DefaultHeaders(contract.document()).fields
    assert {**headers, "cache-control": ""}.items() >= (defaults | {"cache-control": ""}).items()
    assert "Content-Range" not in headers


def test_url_is_valid_for_the_setting_or_twice_the_duration(played: Played, track: Track) -> None:
    long, endless = played.add(CONTENT, duration_ms=3_600_500), played.add(CONTENT, duration_ms=None)
    for made, seconds in ((track, 900), (long, 7201), (endless, 900)):
        found = httpx.head(played.track_url(made), trust_env=False).headers["Cache-Control"]
        left = re.fullmatch(r"private, max-age=([0-9]+)", found)
        assert left is not None
        assert seconds - 60 <= int(left[1]) <= seconds


@pytest.mark.parametrize(("mime_type", "extension"), FORMATS.items())
def test_media_type_and_extension_are_those_of_the_audio(played: Played, mime_type: str, extension: str) -> None:
    made = played.add(b"sound", mime_type)
    url = played.track_url(made)
    assert url.partition("?")[0].endswith(f"/{made.id}.{extension}")
    assert httpx.get(url, trust_env=False).headers["Content-Type"] == mime_type


def test_head_has_the_headers_of_get_and_no_body(played: Played, track: Track) -> None:
    target = sealed(track.id)
    got, head = played.client.get(target), played.client.head(target, headers={"Range": "bytes=0-9"})
    ignored = ("date", "x-request-id", "cache-control")
    assert head.status_code == 200
    assert head.content == b""
    assert [h for h in head.headers.items() if h[0] not in ignored] == [
        h for h in got.headers.items() if h[0] not in ignored
    ]


def test_known_tag_gives_304(played: Played, track: Track) -> None:
    target = sealed(track.id)
    tag = played.client.head(target).headers["ETag"]
    for method in ("GET", "HEAD"):
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            headers = {"If-None-Match": known, "Range": "bytes=0-9"}
            response = played.client.request(method, target, headers=headers)
            assert (response.status_code, response.content) == (304, b"")
            assert response.headers["ETag"] == tag
            assert response.headers["Cache-Control"].startswith("private, max-age=")
    assert played.client.get(target, headers={"If-None-Match": '"other"'}).status_code == 200


def test_range_gives_206_and_an_unsatisfiable_one_416(played: Played, track: Track) -> None:
    target = sealed(track.id)
    part = played.client.get(target, headers={"Range": "bytes=100000-299999"})
    assert (part.status_code, part.content) == (206, CONTENT[100_000:300_000])
    assert part.headers["Content-Range"] == f"bytes 100000-299999/{SIZE}"
    assert part.headers["Content-Length"] == "200000"
    behind = played.client.get(target, headers={"Range": f"bytes={SIZE}-"})
    harness.assert_envelope(behind, "RANGE_NOT_SATISFIABLE")
    assert behind.headers["Content-Range"] == f"bytes */{SIZE}"
    assert behind.headers["Cache-Control"] == "no-store"


def test_download_cut_at_every_64_kib_and_resumed_is_the_file(played: Played, track: Track) -> None:
    target, got, tag = sealed(track.id), b"", ""
    while len(got) < SIZE:
        headers = {"Range": f"bytes={len(got)}-", "If-Range": tag} if got else {}
        with played.client.stream("GET", target, headers=headers) as response:
            assert response.status_code == (206 if got else 200)
            tag = response.headers["ETag"]
            for piece in response.iter_raw(64 * 1024):
                got += piece
                break
    assert got == CONTENT


def test_credential_is_not_looked_at(played: Played, track: Track) -> None:
    assert played.client.get(sealed(track.id), headers={"X-API-Key": "msk_wrong"}).status_code == 200


def test_every_invalid_url_gets_the_same_answer(played: Played, track: Track) -> None:
    other, deleted = played.add(b"other"), played.add(b"deleted")
    silent = _without_audio(played)
    valid = sealed(track.id)
    deleted_url = sealed(deleted.id)
    assert played.api.delete(f"music/{HOME}/tracks/{deleted.id}").status_code == 200
    seal = valid.partition("?sig=")[2]
    foreign = URLSealer(b"the pepper of another installation").seal(
        f"{track.id}.mp3", Grant(HOME, "master", int(time.time()) + 600)
    )
    path = f"/v1/music/audio/{track.id}.mp3"
    wrong = {
        "expired a second ago": sealed(track.id, seconds=-1),
        "expiring now": sealed(track.id, seconds=0),
        "of another file": f"/v1/music/audio/{other.id}.mp3?sig={seal}",
        "of another extension": f"/v1/music/audio/{track.id}.flac?sig={seal}",
        "of another organization": sealed(track.id, organization_id="org_elsewhere"),
        "of another installation": f"{path}?sig={foreign}",
        "of a stem": sealed(track.id, part="drums"),
        "of no track": sealed("mtrack_000000000000"),
        "of a deleted track": deleted_url,
        "of a track without audio": sealed(silent.id),
        "another parameter": f"{valid}&a=1",
        "another parameter first": f"{path}?a=1&sig={seal}",
        "two seals": f"{valid}&sig={seal}",
        "no seal": path,
        "an empty seal": f"{path}?sig=",
        "another name for it": f"{path}?Sig={seal}",
        "no seal at all": f"{path}?sig={'a' * 130}",
        "longer": f"{valid}A",
        "shorter": valid[:-1],
        "badly encoded": f"{path}?sig=%zz",
        "no text": f"{path}?sig=%ff",
        "no file": f"/v1/music/audio/a?sig={seal}",
        "a file of no form": f"/v1/music/audio/%C3%A4.mp3?sig={seal}",
        "an extension in capitals": f"/v1/music/audio/{track.id}.MP3?sig={seal}",
        "a query of many parameters": f"{path}?{'&'.join('a' * 70)}",
    }
    answers = {name: refusal(played.client.get(target)) for name, target in wrong.items()}
    first = next(iter(answers.values()))
    assert {name: answer for name, answer in answers.items() if answer != first} == {}
    assert first[1]["cache-control"] == "no-store"
    assert first[2]["error"]["details"] == {}
    for target in wrong.values():
        head = played.client.head(target)
        assert (head.status_code, head.content) == (403, b"")


def test_seal_altered_in_any_character_is_invalid(played: Played, track: Track) -> None:
    target = sealed(track.id)
    assert played.client.head(target).status_code == 200
    start = target.index("mseal_")
    letters = string.ascii_letters + string.digits + "-_"
    for at in range(start, len(target)):
        other = letters[(letters.index(target[at]) + 1) % len(letters)]
        assert played.client.head(f"{target[:at]}{other}{target[at + 1 :]}").status_code == 403, at


def test_seals_do_not_tell_the_length_of_what_they_hold() -> None:
    sealer = URLSealer(b"p" * 32)
    made = [
        sealer.seal("a.mp3", Grant(organization, part, expires))
        for organization, part, expires in (
            ("org_1", "master", 1),
            ("org_" + "a" * 32, "master", 2**40),
            ("org_" + "a" * 32, "a" * 32, 2),
        )
    ]
    assert {len(seal) for seal in made} == {len(PREFIX) + 124}
    opened = [sealer.open("a.mp3", seal) for seal in made]
    assert opened[0] == Grant("org_1", "master", 1)
    assert opened[2] == Grant("org_" + "a" * 32, "a" * 32, 2)
    with pytest.raises(ValueError, match="cannot hold"):
        sealer.seal("a.mp3", Grant("org_1", "a" * 70, 1))


def test_track_without_audio_has_no_url(played: Played) -> None:
    silent = _without_audio(played)
    assert played.api.get(f"music/{HOME}/tracks/{silent.id}").json()["playback_url"] is None


def test_audio_that_is_gone_is_503(played: Played) -> None:
    made = played.add(b"sound")
    store = played.application.playback.store  # type: ignore[union-attr]
    store.delete(made.audio_name or "")
    harness.assert_envelope(played.client.get(sealed(made.id)), "SERVICE_UNAVAILABLE")


def test_address_is_the_public_one_if_it_is_known(tmp_path: Path) -> None:
    with playing(tmp_path, public_url="https://music.example/studio") as running:
        url = running.track_url(running.add(b"sound"))
        assert url.startswith("https://music.example/studio/v1/music/audio/mtrack_")


def test_entity_tag_does_not_tell_the_organization() -> None:
    tags = {playback.entity_tag(f"{organization}/mtrack_1-00000001.mp3") for organization in ("org_1", "org_2")}
    assert len(tags) == 1
    assert playback.entity_tag("org_1/mtrack_1-00000002.mp3") not in tags


def _without_audio(played: Played) -> Track:
    with played.database.use():
        made = tracks.add(HOME, harness.ALICE, title="silent")
    assert made is not None
    return made
