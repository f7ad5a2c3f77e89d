"""The page of a share link and its audio through HTTP: who gets what, in which words, and what never leaks."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import bindparam, update

from models import tracks
from models.audio import StoredAudio
from models.base import now
from models.db import connection
from models.share_tables import share_tokens
from models.tracks import Track
from pages import waveform
from tools.testing.played import SIZE, Played, noise, playing
from tools.testing.service import HOME, Service, Services, add_all, assert_envelope, new_collection

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
UNKNOWN = "shr_" + "0" * 32
EXPIRE = (
    update(share_tokens)
    .where(share_tokens.c.organization_id == bindparam("organization"), share_tokens.c.link_id == bindparam("link"))
    .values(ends_at=bindparam("end"))
)
AUDIO = noise(SIZE)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with playing(tmp_path_factory.mktemp("played")) as running:
        yield running


@pytest.fixture(scope="module")
def track(played: Played) -> Track:
    return played.add(AUDIO)


@pytest.fixture
def anyone(server: Service) -> httpx.Client:
    """A browser without a credential."""
    client = server.client()
    client.base_url = httpx.URL(server.url)
    client.headers["Accept"] = BROWSER
    return client


def share(client: httpx.Client, target: str, **body: Any) -> dict[str, Any]:
    response = client.post(f"{target}/share", json=body)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


def shared(played: Played, track: Track) -> str:
    """The path of the audio of a new link."""
    token = share(played.api, f"music/{HOME}/tracks/{track.id}")["token"]
    return f"/shared/{token}/audio/1"


def test_the_url_of_a_link_leads_a_browser_to_its_page(newcomer: httpx.Client, newcomers_track: str) -> None:
    link = share(newcomer, f"tracks/{newcomers_track}")
    response = httpx.get(link["url"], headers={"Accept": BROWSER}, follow_redirects=True, trust_env=False)
    assert [step.status_code for step in (*response.history, response)] == [303, 200]
    assert response.url.path == f"/shared/{link['token']}"
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1" in response.text


def test_parameters_that_others_add_to_a_link_change_nothing(
    anyone: httpx.Client, newcomer: httpx.Client, newcomers_track: str
) -> None:
    link = share(newcomer, f"tracks/{newcomers_track}")
    for added in ("?fbclid=IwAR0&utm_source=a+b", "?a=%zz", "?a=1&a=2"):
        response = anyone.get(link["url"] + added, follow_redirects=True)
        assert [step.status_code for step in (*response.history, response)] == [303, 200]
        assert response.url.query == b""
        assert anyone.get(f"/shared/{link['token']}{added}").text == response.text
        assert anyone.get(f"/shared/{UNKNOWN}{added}").status_code == 404
        assert httpx.get(link["url"] + added, trust_env=False).json()["kind"] == "track"


def test_page_is_kept_by_no_cache_and_tells_no_other_site(
    anyone: httpx.Client, newcomer: httpx.Client, newcomers_track: str
) -> None:
    token = share(newcomer, f"tracks/{newcomers_track}")["token"]
    response = anyone.get(f"/shared/{token}")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert "<script" not in response.text
    assert not re.findall(r'(?:src|href)="(?!data:|/shared/shr_)', response.text)
    assert anyone.head(f"/shared/{token}").headers["Content-Length"] == str(len(response.content))


def test_page_names_nobody(
    anyone: httpx.Client, newcomer: httpx.Client, newcomer_id: str, newcomers_track: str
) -> None:
    made = new_collection(newcomer, name="A & <b>B</b>", description="<script>alert(1)</script>")
    add_all(newcomer, made["id"], [newcomers_track])
    token = share(newcomer, f"collections/{made['id']}", visibility="public", expires_in_days=30)["token"]
    page = anyone.get(f"/shared/{token}").text
    assert "A &amp; &lt;b&gt;B&lt;/b&gt;" in page
    assert "&lt;script&gt;" in page
    assert "This link works until" in page
    for secret in (newcomer_id, HOME, "org_", "user_", "mslink_", "mseal_"):
        assert secret not in page, secret


def test_unknown_revoked_and_expired_links_get_the_same_bytes(
    server: Service, anyone: httpx.Client, newcomer: httpx.Client, newcomers_track: str
) -> None:
    revoked, expired, live = (share(newcomer, f"tracks/{newcomers_track}") for _ in range(3))
    newcomer.delete(f"share/{revoked['id']}")
    with server.use_database():
        connection.execute(EXPIRE, organization=HOME, link=expired["id"], end=now())
    tokens = [UNKNOWN, revoked["token"], expired["token"], "shr_", "nonsense", f"{live['token']}0", "%00"]
    answers = [anyone.get(f"/shared/{token}") for token in tokens[:-1]]
    pages = {(answer.status_code, _without_ids(answer), answer.text) for answer in answers}
    assert len(pages) == 1
    [(status, _, page)] = pages
    assert status == 404
    assert "<h1>This link does not work</h1>" in page
    sounds = [anyone.get(f"/shared/{token}/audio/1") for token in tokens[:5]]
    past_the_end = [
        anyone.get(f"/shared/{live['token']}/audio/{position}") for position in ("2", "0", "500", "1000", "a")
    ]
    assert {answer.text for answer in (*sounds, *past_the_end)} == {page}


def test_error_is_an_envelope_for_whoever_does_not_prefer_html(anyone: httpx.Client) -> None:
    for accept in ("*/*", "text/html;q=0.5,*/*", "text/*,application/json"):
        response = anyone.get(f"/shared/{UNKNOWN}", headers={"Accept": accept})
        error = assert_envelope(response, "RESOURCE_NOT_FOUND")
        assert error["details"] == {}
    assert_envelope(anyone.get(f"/shared/{UNKNOWN}", headers={"Accept": "application/json"}), "NOT_ACCEPTABLE")
    assert_envelope(anyone.get("/shared"), "ENDPOINT_NOT_FOUND")
    assert_envelope(anyone.post(f"/shared/{UNKNOWN}"), "METHOD_NOT_ALLOWED")


def test_removed_music_gets_a_page_that_says_so(
    anyone: httpx.Client, newcomer: httpx.Client, newcomers_track: str
) -> None:
    token = share(newcomer, f"tracks/{newcomers_track}")["token"]
    made = new_collection(newcomer)["id"]
    collection = share(newcomer, f"collections/{made}")["token"]
    add_all(newcomer, made, [newcomers_track])
    newcomer.delete(f"tracks/{newcomers_track}")
    response = anyone.get(f"/shared/{token}")
    assert response.status_code == 200
    assert "<h1>This music is not here any more</h1>" in response.text
    assert "<audio" not in response.text
    assert anyone.get(f"/shared/{token}/audio/1").status_code == 404
    assert "0 pieces" in anyone.get(f"/shared/{collection}").text
    newcomer.delete(f"collections/{made}")
    assert anyone.get(f"/shared/{collection}").text == response.text


def test_collection_has_a_player_for_each_track_in_order(played: Played, track: Track) -> None:
    other = played.add(b"other audio")
    home = f"music/{HOME}/collections"
    made = played.api.post(home, json={"name": "Two", "cover_image_url": "https://images.example/a.jpg"}).json()["id"]
    for each in (other, track):
        played.api.post(f"{home}/{made}/tracks", json={"track_id": each.id})
    token = share(played.api, f"{home}/{made}")["token"]
    page = played.client.get(f"/shared/{token}", headers={"Accept": BROWSER})
    paths = re.findall(r'<audio [^>]*src="([^"]+)"', page.text)
    assert paths == [f"/shared/{token}/audio/{number}" for number in (1, 2)]
    assert '<img class="cover" src="https://images.example/a.jpg" alt="">' in page.text
    assert "img-src data: https://images.example;" in page.headers["Content-Security-Policy"]
    first, second = (played.client.get(path, headers={"Range": "bytes=0-99"}) for path in paths)
    assert first.content == b"other audio"
    assert second.content == AUDIO[:100]


def test_page_draws_the_waveform_of_the_track(played: Played, track: Track) -> None:
    levels = bytes(range(160, 256))
    with played.database.use():
        stored = StoredAudio(str(track.audio_name), SIZE, "audio/mpeg")
        assert tracks.attach_audio(track, stored, 60_000, levels) is not None
        assert tracks.waveforms(HOME, [track.id, "mtrack_000000000000"]) == {track.id: levels}
    token = share(played.api, f"music/{HOME}/tracks/{track.id}")["token"]
    assert f'<path d="{waveform.path(levels)}"/>' in played.client.get(f"/shared/{token}").text


def test_player_gets_ranges_without_being_led_elsewhere(played: Played, track: Track) -> None:
    path = shared(played, track)
    response = played.client.get(path, headers={"Range": "bytes=1000-1999"})
    assert response.status_code == 206
    assert response.content == AUDIO[1000:2000]
    assert response.headers["Content-Range"] == f"bytes 1000-1999/{SIZE}"
    assert response.headers["Content-Type"] == "audio/mpeg"
    assert response.headers["Cache-Control"] == "no-store"
    tag = response.headers["ETag"]
    again = played.client.get(path, headers={"Range": "bytes=-1", "If-Range": tag})
    assert (again.status_code, again.content) == (206, AUDIO[-1:])
    whole = played.client.get(path, headers={"Range": "bytes=0-"})
    assert (whole.status_code, whole.content) == (206, AUDIO)
    beyond = played.client.get(path, headers={"Range": f"bytes={SIZE}-"})
    assert_envelope(beyond, "RANGE_NOT_SATISFIABLE")
    assert beyond.headers["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "fields",
    [{}, {"Range": "bytes=0-1,5-6"}, {"Range": "bytes=0-1", "If-Range": '"other"'}],
    ids=["none", "two", "old"],
)
def test_request_for_the_whole_is_led_to_a_fresh_url(played: Played, track: Track, fields: dict[str, str]) -> None:
    response = played.client.get(shared(played, track), headers=fields)
    assert (response.status_code, response.content) == (303, b"")
    assert response.headers["Location"].startswith(f"{played.url}/v1/music/audio/{track.id}.mp3?sig=mseal_")
    assert response.headers["Cache-Control"] == "no-store"
    assert played.client.get(response.headers["Location"]).content == AUDIO


def test_audio_ends_with_the_link(played: Played, track: Track) -> None:
    link = share(played.api, f"music/{HOME}/tracks/{track.id}")
    path, head = f"/shared/{link['token']}/audio/1", {"Range": "bytes=0-9"}
    assert played.client.get(path, headers=head).status_code == 206
    assert played.api.delete(f"music/{HOME}/share/{link['id']}").status_code == 200
    assert_envelope(played.client.get(path, headers=head), "RESOURCE_NOT_FOUND")


def test_track_without_audio_has_no_player(anyone: httpx.Client, newcomer: httpx.Client, newcomers_track: str) -> None:
    token = share(newcomer, f"tracks/{newcomers_track}")["token"]
    assert "There is no audio of this piece." in anyone.get(f"/shared/{token}").text
    assert anyone.get(f"/shared/{token}/audio/1").status_code == 404


def test_pages_are_counted_as_resolves_and_audio_is_not(played: Played, track: Track) -> None:
    link = share(played.api, f"music/{HOME}/tracks/{track.id}")
    for path in ("", "", "/audio/1"):
        played.client.get(f"/shared/{link['token']}{path}", headers={"Accept": "*/*"})
    for _ in range(100):  # they are written together, once a second
        if _resolves(played, link["id"]) > 0:
            break
        time.sleep(0.1)
    assert _resolves(played, link["id"]) == 2


def _resolves(played: Played, link: str) -> int:
    listed = played.api.get(f"music/{HOME}/share").json()["items"]
    return next(int(each["resolve_count"]) for each in listed if each["id"] == link)


def test_too_many_requests_with_one_token_get_a_page(tmp_path: Path) -> None:
    with playing(tmp_path, rate_limit="", rate_limit_shares="2/minute") as played:
        answers = [played.client.get(f"/shared/{UNKNOWN}", headers={"Accept": BROWSER}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [404, 404, 429]
        assert "<h1>This link is opened too often right now</h1>" in answers[2].text
        assert int(answers[2].headers["Retry-After"]) >= 1
        other = "shr_" + "1" * 32
        assert played.client.get(f"/shared/{other}", headers={"Accept": BROWSER}).status_code == 404


def test_page_behind_a_path_of_a_proxy_names_it(tmp_path: Path) -> None:
    with playing(tmp_path, public_url="https://music.example/studio") as played:
        track = played.add(AUDIO)
        token = share(played.api, f"music/{HOME}/tracks/{track.id}")["token"]
        page = played.client.get(f"/shared/{token}", headers={"Accept": BROWSER}).text
        assert f'src="/studio/shared/{token}/audio/1"' in page


def test_token_stands_in_no_log_line(services: Services) -> None:
    server = services.start(services.fresh_database("sqlite"), LOG_LEVEL="debug")
    user = server.client(server.key("user_logged")[1])
    [track] = server.make_tracks(1, creator="user_logged")
    token = share(user, f"tracks/{track}")["token"]
    for path in (f"/shared/{token}", f"/shared/{token}/audio/1", f"/shared/{token}x", f"/shared/{token}/?a={token}"):
        for accept in (BROWSER, "*/*"):
            httpx.get(server.url + path, headers={"Accept": accept, "X-Request-ID": token}, trust_env=False)
    lines = server.log.read_text(encoding="utf-8")
    assert "get_shared_page" in lines
    assert token not in lines


def _without_ids(response: httpx.Response) -> tuple[tuple[str, str], ...]:
    return tuple(item for item in response.headers.multi_items() if item[0] not in ("x-request-id", "date"))
