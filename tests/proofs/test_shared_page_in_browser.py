"""The page of a share link in Chromium: light, dark, phone, by keyboard, without scripts; what its player asks for."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.proofs.test_playback_in_browser import SECONDS, tone
from tests.proofs.toolchains import BIN
from tools.testing.played import Played, playing
from tools.testing.service import HOME, ROOT

VIEWS = ("light", "dark", "phone")
TITLES = {
    "track": "Morning Desk",
    "collection": "Focus & <Sessions>",
    "cover": "With a cover",
    "gone": "This music is not here any more",
    "unknown": "This link does not work",
}
GROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(19, 19, 24)", "phone": "rgb(255, 255, 255)"}
PICTURES = ROOT / "dist" / "screenshots"
COVER = "https://images.example/cover.png"
NETWORK_ERROR = 2  # MediaError.MEDIA_ERR_NETWORK


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with playing(tmp_path_factory.mktemp("shared")) as running:
        yield running


class Links:
    """What alice shares: the paths of its pages, and a link that is revoked while it plays."""

    def __init__(self, played: Played) -> None:
        self._api, self._url = played.api, played.url
        tracks = [played.add(tone(), "audio/wav", SECONDS * 1000, title="Morning Desk").id]
        tracks += [played.add(b"no music", title=title).id for title in ("W" * 300, None, "\u05e9\u05d9\u05e8")]
        gone = played.add(b"no music").id
        self.pages = {
            "track": self._page(f"tracks/{tracks[0]}"),
            "collection": self._page(
                f"collections/{self._collection(TITLES['collection'], tracks)}", expires_in_days=30
            ),
            "cover": self._page(f"collections/{self._collection(TITLES['cover'], tracks[:1], cover_image_url=COVER)}"),
            "gone": self._page(f"tracks/{gone}"),
            "unknown": "/shared/shr_" + "0" * 32,
        }
        assert self._api.delete(f"music/{HOME}/tracks/{gone}").status_code == 200
        link = self._share(f"tracks/{tracks[0]}")
        key = self._api.headers["X-API-Key"]
        self.revoked = {
            "path": f"/shared/{link['token']}", "url": f"{self._url}/v1/music/{HOME}/share/{link['id']}", "key": key,
        }  # fmt: skip

    def _collection(self, name: str, tracks: list[str], **fields: str) -> str:
        home = f"music/{HOME}/collections"
        body = {"name": name, "description": "First line\nSecond line"} | fields
        made: str = self._api.post(home, json=body).json()["id"]
        for track in tracks:
            assert self._api.post(f"{home}/{made}/tracks", json={"track_id": track}).status_code == 200
        return made

    def _share(self, target: str, **body: Any) -> dict[str, Any]:
        made: dict[str, Any] = self._api.post(f"music/{HOME}/{target}/share", json=body).json()
        return made

    def _page(self, target: str, **body: Any) -> str:
        return f"/shared/{self._share(target, **body)['token']}"


@pytest.fixture(scope="module")
def links(played: Played) -> Links:
    return Links(played)


@pytest.fixture(scope="module")
def seen(played: Played, links: Links) -> dict[str, Any]:
    """What the browser reports."""
    given = (json.dumps(links.pages), json.dumps(links.revoked))
    command = [str(BIN / "node"), "share_page.mjs", played.url, str(PICTURES), *given]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, env=os.environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", TITLES)
@pytest.mark.parametrize("view", VIEWS)
def test_page_is_accessible_and_fits_the_window(seen: dict[str, Any], view: str, name: str) -> None:
    found = seen["views"][f"{view} {name}"]
    assert found["findings"] == []
    assert found["passes"] > 10
    assert (found["title"], found["overflow"]) == (TITLES[name], False)
    assert found["ground"] == GROUNDS[view]
    assert found["cover"] == ([1] if name == "cover" else [])


def test_the_policy_blocks_nothing_that_the_page_needs(seen: dict[str, Any]) -> None:
    assert seen["complaints"] == []


def test_no_request_goes_elsewhere_or_names_the_page(seen: dict[str, Any], played: Played) -> None:
    """The address of the page is a secret."""
    elsewhere = {
        request["url"] for request in seen["requests"] if not request["url"].startswith(f"{played.url}/shared/")
    }
    assert elsewhere == {COVER}
    assert [request for request in seen["requests"] if request["referer"] is not None] == []


def test_keyboard_alone_plays_without_scripts(seen: dict[str, Any]) -> None:
    keyboard = seen["keyboard"]
    assert keyboard["loadedBefore"] == 1, "nothing but the page is loaded before somebody plays"
    assert (keyboard["focused"], keyboard["playing"], keyboard["paused"]) == ("audio", True, True)
    assert "summary" in seen["licence"]["reached"]
    assert seen["licence"]["shown"]


def test_player_seeks_by_ranges_of_the_address_in_the_page(seen: dict[str, Any], played: Played, links: Links) -> None:
    """An address that expires would end a player that was paused: Chromium comes back to where it was led."""
    found = seen["played"]
    assert (found["played"], found["seeked"], found["playedThere"]) == (True, "seeked", True)
    assert abs(found["duration"] - SECONDS) < 0.1
    assert found["after"]["time"] > SECONDS * 0.6
    assert found["after"]["error"] is None
    source = f"{played.url}{links.revoked['path']}/audio/1"
    asked = [request for request in found["requests"] if request["url"] == source]
    assert len(asked) > 1, "the seek needed no request: the file is too small for this test"
    assert {request["status"] for request in asked if "status" in request} <= {206, 404}
    assert all(re.fullmatch(r"bytes=[0-9]+-", request["range"]) for request in asked)


def test_revocation_ends_a_player_that_has_begun(seen: dict[str, Any]) -> None:
    found = seen["played"]
    assert (found["revoked"], found["seekedRevoked"], found["reloaded"]) == (200, "error", 404)
