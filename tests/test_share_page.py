"""The page of a share link as text: what it shows of any content, and that nothing in the content becomes markup."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pages import licence, waveform
from pages.error_page import error_page
from pages.rendering import content_security_policy
from pages.share_page import Piece, SharedContent, share_page, unavailable_page
from settings import ROOT

CLEARED = licence.describe("commercial_cleared", commercial_use=True, requires_attribution=False)
UNCLEAR = licence.describe("unclear", commercial_use=False, requires_attribution=True)
HOSTILE = "</title></style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;{{ 7 * 7 }}"
CLASSES = ("commercial_cleared", "commercial_enterprise", "personal_only", "unclear")


class Seen(HTMLParser):
    """The elements of a page with their attributes, and the text of each kind of element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [attributes for name, attributes in self.elements if name == tag]


def piece(number: int = 1, **changed: Any) -> Piece:
    given: dict[str, Any] = {
        "id": f"mtrack_{number:012x}", "title": f"Piece {number}", "duration_ms": 204_400, "instrumental": True,
        "licence": CLEARED, "audio_url": f"/shared/shr_0/audio/{number}",
    }  # fmt: skip
    return Piece(**given | changed)


def test_track_has_title_waveform_player_and_licence() -> None:
    page = share_page(SharedContent([piece()]))
    seen = Seen(page)
    assert seen.texts["title"] == ["Piece 1 · Music Studio"]
    assert seen.texts["h1"] == ["Piece 1"]
    assert seen.all("audio") == [
        {"controls": None, "preload": "none", "src": "/shared/shr_0/audio/1", "aria-label": "Piece 1"}
    ]
    assert seen.all("path")[0]["d"].count("M") == waveform.PARTS
    assert seen.all("time") == [{"datetime": "PT204S"}]
    assert seen.texts["time"] == ["3:24"]
    assert seen.texts["dd"] == ["Allowed", "Not required"]
    assert "Cleared for commercial use." in seen.texts["strong"]
    assert seen.all("script") == seen.all("img") == seen.all("ol") == []


def test_collection_lists_its_pieces_in_order_each_with_a_player() -> None:
    pieces = [piece(1), piece(2, licence=UNCLEAR, instrumental=False), piece(3, title=None, audio_url=None)]
    content = SharedContent(pieces, "Focus", "Line one\nLine two", is_collection=True)
    page = share_page(content)
    seen = Seen(page)
    assert seen.texts["h1"] == ["Focus"]
    assert seen.texts["h2"] == ["Piece 1", "Piece 2", "Untitled"]
    assert [player["src"] for player in seen.all("audio")] == ["/shared/shr_0/audio/1", "/shared/shr_0/audio/2"]
    assert "There is no audio of this piece." in seen.texts["p"]
    assert "Line one\nLine two" in seen.texts["p"]
    assert "3 pieces" in seen.texts["p"]
    assert seen.texts["summary"][1] == "Licence: Not checked"
    assert seen.texts["dd"][2:4] == ["Not allowed", "Required: name where the music comes from"]


def test_five_hundred_pieces_fit_what_the_contract_allows() -> None:
    title = "\N{AMPERSAND}" * 512  # the character whose escape is longest, as often as a title has room
    content = SharedContent([piece(n, title=title) for n in range(1, 501)], title, title * 8, is_collection=True)
    page = share_page(content)
    assert len(Seen(page).all("audio")) == 500
    assert len(page) < 16_777_216


@pytest.mark.parametrize("field", ["title", "name", "description"])
def test_no_text_becomes_markup(field: str) -> None:
    texts: dict[str, Any] = {"name": "N", "description": "D"} | ({field: HOSTILE} if field != "title" else {})
    made = piece(title=HOSTILE) if field == "title" else piece()
    seen = Seen(share_page(SharedContent([made], is_collection=True, **texts)))
    assert not seen.all("script")
    assert not seen.all("img")
    assert any(HOSTILE in text for texts in seen.texts.values() for text in texts)
    assert not any(name.startswith("on") for _, attributes in seen.elements for name in attributes)


def test_cover_is_shown_in_the_place_of_the_waveform_if_its_host_is_plain() -> None:
    cover = "https://images.example:8443/a.jpg?x=1"
    seen = Seen(share_page(SharedContent([piece()], cover_url=cover)))
    assert seen.all("img") == [{"class": "cover", "src": cover, "alt": ""}]
    assert not seen.all("svg")
    assert "img-src data: https://images.example:8443;" in content_security_policy(image=cover)
    for odd in (
        "https://a;script-src/*",
        "https://a,b/c",
        "https://u@a.example/",
        "javascript:alert(1)",
        "//a.example/",
    ):
        assert not Seen(share_page(SharedContent([piece()], cover_url=odd))).all("img"), odd
        assert content_security_policy(image=odd) == content_security_policy()


def test_policy_allows_the_style_of_the_page_and_no_script() -> None:
    for page in (share_page(SharedContent([piece()])), unavailable_page("Gone."), error_page("No. Gone.")):
        [style] = Seen(page).texts["style"]
        digest = b64encode(sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}';" in content_security_policy()
        assert " style=" not in page
    rules = dict(rule.partition(" ")[::2] for rule in content_security_policy().split("; "))
    assert rules.pop("style-src").startswith("'sha256-")
    assert rules == {
        "default-src": "'none'", "media-src": "'self'", "img-src": "data:", "base-uri": "'none'",
        "form-action": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip


def test_only_a_public_link_is_for_search_engines() -> None:
    hidden, listed = (share_page(SharedContent([piece()], is_listed=each)) for each in (False, True))
    assert {"name": "robots", "content": "noindex"} in Seen(hidden).all("meta")
    assert {"name": "robots", "content": "noindex"} not in Seen(listed).all("meta")


def test_expiry_is_a_day_in_words() -> None:
    page = share_page(SharedContent([piece()], expires_at=datetime(2027, 3, 4, 23, 59, tzinfo=UTC)))
    assert "This link works until 4 March 2027." in page


@pytest.mark.parametrize(
    ("milliseconds", "shown"), [(0, "0:00"), (999, "0:01"), (61_000, "1:01"), (3_661_000, "1:01:01")]
)
def test_duration_is_minutes_and_seconds(milliseconds: int, shown: str) -> None:
    assert Seen(share_page(SharedContent([piece(duration_ms=milliseconds)]))).texts["time"] == [shown]
    assert not Seen(share_page(SharedContent([piece(duration_ms=None)]))).all("time")


def test_every_licence_class_of_the_contract_has_words() -> None:
    from web.contract import document

    assert tuple(document.document()["components"]["schemas"]["LicenceClass"]["enum"]) == CLASSES
    found = {licence.describe(each, commercial_use=True, requires_attribution=True).name for each in CLASSES}
    assert len(found) == len(CLASSES)


def test_waveform_follows_the_levels_and_stays_inside() -> None:
    quiet, loud = waveform.path(b"\x00\xff").split("M")[1:]
    assert quiet == "0.5 15.4v1.2"
    assert loud == "1.5 1.0v30.0"
    drawn = waveform.drawn("mtrack_000000000001")
    assert len(drawn) == waveform.PARTS
    assert drawn == waveform.drawn("mtrack_000000000001") != waveform.drawn("mtrack_000000000002")
    assert max(drawn) - min(drawn) > 64


def test_error_page_has_the_first_sentence_as_its_heading() -> None:
    seen = Seen(error_page("This does not\nwork. Try <b>again</b>. Later.", "req_1"))
    assert seen.texts["h1"] == ["This does not work"]
    assert "Try <b>again</b>. Later." in seen.texts["p"]
    assert seen.texts["code"] == ["req_1"]
    assert not seen.all("b")
    assert "Number of this error" not in error_page("No. Gone.")


def test_colours_are_those_of_the_documentation() -> None:
    ours, theirs = (_tokens(ROOT / file) for file in ("pages/templates/page.css", "docsite/static/page.css"))
    assert ours == theirs
    assert "--accent" in ours


def _tokens(file: Path) -> str:
    found = re.search(r":root \{(.*?)\}", file.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]
