"""The docs pages in Chromium, in light, dark and phone view, and a request sent from the page."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from docsite.samples import LANGUAGES
from tests.proofs.toolchains import BIN
from tools.testing.service import ROOT, Services

VIEWS = ("light", "dark", "phone")
HOME = "/docs/api-reference/music"
TITLES = {
    "/docs": "Music Studio API",
    f"{HOME}/get-collection": "Get a music collection",
    f"{HOME}/errors": "Errors",
    f"{HOME}/introduction": "Music Studio overview",
}
PICTURES = ROOT / "dist" / "screenshots"


class Visit:
    """Origin and key of a browser run, and what the browser reports."""

    def __init__(self, origin: str, key: str) -> None:
        self.origin = origin
        self.key = key
        command = [str(BIN / "node"), "pages.mjs", origin, key, str(PICTURES), *TITLES]
        done = subprocess.run(
            command, cwd=Path(__file__).parent, env=os.environ, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        self.seen: dict[str, Any] = json.loads(done.stdout)


@pytest.fixture(scope="session")
def visit(services: Services) -> Visit:
    server = services.start(services.fresh_database("sqlite"))
    return Visit(server.url, server.load_demo()["alice"])


@pytest.mark.parametrize("path", TITLES)
@pytest.mark.parametrize("view", VIEWS)
def test_page_shows_its_title_without_overflow(visit: Visit, view: str, path: str) -> None:
    assert visit.seen["views"][f"{view} {path}"] == {"title": TITLES[path], "overflow": False}


def test_browser_console_has_no_errors(visit: Visit) -> None:
    assert visit.seen["complaints"] == []


def test_pages_make_no_cross_origin_requests(visit: Visit) -> None:
    assert visit.seen["requests"]
    assert [url for url in visit.seen["requests"] if not url.startswith(f"{visit.origin}/")] == []


def test_offered_samples_are_all_languages(visit: Visit) -> None:
    assert visit.seen["samples"] == [language.label for language in LANGUAGES]


def test_request_tried_with_a_key_succeeds(visit: Visit) -> None:
    tried = visit.seen["tried"]
    assert tried["url"] == f"{visit.origin}/v1/music/org_abc123/collections/mcoll_4a1f9c7e2b8d"
    assert tried["headers"]["x-api-key"] == visit.key
    assert tried["status"] == 200
    assert "200 OK" in tried["text"]
    assert '"name": "Focus Sessions"' in tried["text"]
