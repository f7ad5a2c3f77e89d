"""The documentation in Chromium: every page in light and dark, on a desktop and a phone; with a keyboard, and tried."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from docsite.guides import guides
from docsite.objects import objects
from docsite.operations import operations
from docsite.samples import LANGUAGES
from tests.proofs.toolchains import BIN
from tools.bench import pages
from tools.testing.service import ROOT, Services
from web.contract import document as contract

VIEWS = ("light", "dark", "phone", "dark-phone")
HOME = "/docs/api-reference/music"
OPERATIONS = operations(contract.document())
GUIDES = guides({operation.id for operation in OPERATIONS})
TITLES = {
    "/docs": "Music Studio overview",
    f"{HOME}/errors": "Errors",
    f"{HOME}/tutorial": "Work with collections and tracks",
    f"{HOME}/changelog": "Changelog",
    "/docs/focus.html": "Play a focus session",
    **{f"{HOME}/{guide.slug}": guide.title for guide in GUIDES},
    **{f"{HOME}/{operation.slug}": operation.summary for operation in OPERATIONS},
    **{f"{HOME}/{found.slug}": found.title for found in objects(contract.document(), OPERATIONS)},
}
PICTURED = ("/docs", *(f"{HOME}/{name}" for name in ("get-collection", "collection-object", "errors", "rate-limits")))
PICTURES = ROOT / "dist" / "screenshots"
MAX_BYTES = 60_000


class Visit:
    """Origin and key of a browser run, and what the browser reports."""

    def __init__(self, origin: str, key: str) -> None:
        self.origin = origin
        self.key = key
        command = [str(BIN / "node"), "pages.mjs", origin, key, str(PICTURES), ",".join(TITLES), ",".join(PICTURED)]
        done = subprocess.run(
            command, cwd=Path(__file__).parent, env=os.environ, capture_output=True, text=True, timeout=900, check=False
        )
        assert done.returncode == 0, done.stderr
        self.seen: dict[str, Any] = json.loads(done.stdout)


@pytest.fixture(scope="session")
def visit(services: Services) -> Visit:
    server = services.start(services.fresh_database("sqlite"))
    return Visit(server.url, server.load_demo()["alice"])


@pytest.mark.parametrize("view", VIEWS)
def test_every_page_shows_its_title_without_overflow(visit: Visit, view: str) -> None:
    found = {path: visit.seen["views"][f"{view} {path}"] for path in TITLES}
    assert found == {path: {"title": title, "overflow": False} for path, title in TITLES.items()}


def test_picture_of_the_overview_is_drawn_in_its_size(visit: Visit) -> None:
    assert visit.seen["drawn"].keys() == set(VIEWS)
    assert {view: scale for view, scale in visit.seen["drawn"].items() if not 0.9 < scale <= 1} == {}


def test_axe_finds_nothing_on_any_page(visit: Visit) -> None:
    assert len(visit.seen["views"]) == len(VIEWS) * len(TITLES)
    assert visit.seen["findings"] == {}
    assert visit.seen["dialogs"] == {view: [] for view in VIEWS}


def test_page_is_light_and_the_explorer_is_not(visit: Visit) -> None:
    weights = {record["page"]: record["bytes"] for record in pages.measure(visit.origin, rounds=1)}
    explorer = weights.pop(pages.EXPLORER)
    assert {each.name for each in pages.VISITS} == {*weights, pages.EXPLORER}
    assert {page: size for page, size in weights.items() if not 1000 < size < MAX_BYTES} == {}
    assert explorer > 10 * MAX_BYTES


def test_browser_console_has_no_errors(visit: Visit) -> None:
    assert visit.seen["complaints"] == []


def test_pages_make_no_cross_origin_requests(visit: Visit) -> None:
    assert visit.seen["requests"]
    assert [url for url in visit.seen["requests"] if not url.startswith(f"{visit.origin}/")] == []


def test_keyboard_reaches_content_search_and_languages(visit: Visit) -> None:
    keyboard = visit.seen["keyboard"]
    assert (keyboard["first"], keyboard["skipped"]) == ("Skip to the content", "content")
    assert keyboard["found"] == f"{HOME}/errors#collection_full"
    assert f"{HOME}/collection-object#field.track_count" in keyboard["fields"]
    assert keyboard["closed"] == 0


def test_language_stays_chosen_and_its_sample_is_copied(visit: Visit) -> None:
    keyboard = visit.seen["keyboard"]
    assert keyboard["language"] == keyboard["kept"] == LANGUAGES[-1].label
    assert keyboard["copied"].split() == keyboard["shown"].split() != []


def test_request_tried_on_the_page_of_an_operation_succeeds(visit: Visit) -> None:
    tried = visit.seen["tried"]
    assert tried["url"] == f"{visit.origin}/v1/music/org_abc123/collections/mcoll_4a1f9c7e2b8d"
    assert tried["headers"]["x-api-key"] == visit.key
    assert tried["status"] == 200
    assert "200 OK" in tried["shown"]
    assert '"name": "Focus Sessions"' in tried["shown"]
    assert tried["fields"] == ["key password", "organization_id text", "collection_id text", "If-None-Match text"]
    assert tried["axe"] == []


def test_tried_key_is_kept_in_its_tab_only(visit: Visit) -> None:
    tried = visit.seen["tried"]
    assert tried["kept"][:2] == [1, visit.key]
    assert visit.key not in tried["kept"][2]
    assert tried["elsewhere"] == ""


def test_pages_need_no_script(visit: Visit) -> None:
    scriptless = visit.seen["scriptless"]
    assert "fn main()" in scriptless["code"]
    assert scriptless["menu"]
    assert scriptless["buttons"] == ["Menu"]
    assert scriptless["title"] == "Paging"


@pytest.mark.parametrize("view", VIEWS)
def test_unknown_page_leads_to_the_nearest_pages_and_to_the_search(visit: Visit, view: str) -> None:
    lost = visit.seen["lost"][view]
    assert lost["near"][0] == f"{HOME}/get-collection"
    assert len(lost["near"]) == 6
    assert (lost["nearest"], lost["nothing"]) == ("Get a music collection", False)
    assert (lost["status"], lost["axe"], lost["found"]) == (404, [], f"{HOME}/paging")


def test_link_to_a_folded_header_unfolds_it(visit: Visit) -> None:
    followed = visit.seen["followed"]
    assert followed["open"]
    assert followed["text"].startswith("RateLimit-Policy")
    assert 0 <= followed["top"] < 900


def test_explorer_has_samples_in_all_languages_and_sends_a_request(visit: Visit) -> None:
    explorer = visit.seen["explorer"]
    assert explorer["samples"] == [language.label for language in LANGUAGES]
    assert explorer["url"] == f"{visit.origin}/v1/music/org_abc123/collections/mcoll_4a1f9c7e2b8d"
    assert explorer["headers"]["x-api-key"] == visit.key
    assert explorer["status"] == 200
